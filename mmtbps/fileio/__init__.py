"""Files that survive kills and several processes: durable writes, locks, JSON lines, job shards."""

from .archives import damaged_record, swollen_record
from .checkpoint_files import BrokenCheckpoint, UnsafeCheckpoint, load_checkpoint_file
from .disk_full import DiskFull, explain_disk_full, explained_disk_full, free_bytes, is_disk_full
from .durable import create_once, durable_folder, folder_size, sync_folder, write_durably
from .image_files import (
    IMAGE_SUFFIXES,
    MAX_PIXELS,
    UNREAD_SUFFIXES,
    UNREAD_VIDEO_SUFFIXES,
    is_image,
)
from .json_stream import iter_json_elements
from .json_text import decode_json, encode_json
from .jsonl import JsonlWriter, append_json_lines, iter_json_lines
from .locks import LockTaken, file_lock, lock_descriptor
from .object_stores import AnyPath, RemotePath, as_path, is_remote
from .opened_files import local_copy, open_bytes, open_text
from .regular_files import why_no_file
from .shards import JobShard
from .store_errors import StoreError, refuse_store
from .writable import NotWritable, check_writable

__all__ = ['AnyPath', 'BrokenCheckpoint', 'DiskFull', 'IMAGE_SUFFIXES', 'JobShard', 'JsonlWriter',
           'LockTaken', 'MAX_PIXELS', 'NotWritable', 'RemotePath', 'StoreError', 'UNREAD_SUFFIXES',
           'UNREAD_VIDEO_SUFFIXES', 'UnsafeCheckpoint', 'append_json_lines', 'as_path',
           'check_writable', 'create_once', 'damaged_record', 'decode_json', 'durable_folder',
           'encode_json', 'explain_disk_full', 'explained_disk_full', 'file_lock', 'folder_size',
           'free_bytes', 'is_disk_full', 'is_image', 'is_remote', 'iter_json_elements',
           'iter_json_lines', 'load_checkpoint_file', 'local_copy', 'lock_descriptor', 'open_bytes',
           'open_text', 'refuse_store', 'swollen_record', 'sync_folder', 'why_no_file',
           'write_durably']
