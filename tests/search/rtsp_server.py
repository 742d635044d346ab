"""A process of its own, of the system's Python: ``rtsp_server.py PORT FOLDER``, a loop of JPEGs."""

import sys

import gi

gi.require_version('Gst', '1.0')
gi.require_version('GstRtspServer', '1.0')
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

if __name__ == '__main__':
    Gst.init(None)
    server, factory = GstRtspServer.RTSPServer(), GstRtspServer.RTSPMediaFactory()
    server.set_service(sys.argv[1])
    server.set_address('127.0.0.1')
    factory.set_launch(f'( multifilesrc location={sys.argv[2]}/%03d.jpg loop=true '
                       'caps=image/jpeg,framerate=10/1 ! jpegparse ! rtpjpegpay name=pay0 pt=96 )')
    factory.set_shared(True)
    server.get_mount_points().add_factory('/live', factory)
    server.attach(None)
    GLib.MainLoop().run()
