"""``python -m mmtbps COMMAND``, the same as ``mmtbps COMMAND``."""

from mmtbps.commands.main import main

if __name__ == '__main__':
    main()
