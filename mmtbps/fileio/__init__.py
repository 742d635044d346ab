"""Files that survive kills and several processes: durable writes, locks, JSON lines, job shards."""

from .archives import damaged_record
from .checkpoint_files import BrokenCheckpoint, UnsafeCheckpoint, load_checkpoint_file
from .durable import DiskFull, create_once, durable_folder, folder_size, sync_folder, write_durably
from .image_files import IMAGE_SUFFIXES, is_image
from .jsonl import JsonlWriter, append_json_lines, iter_json_lines
from .locks import LockTaken, file_lock
from .shards import JobShard

__all__ = ['BrokenCheckpoint', 'DiskFull', 'IMAGE_SUFFIXES', 'JobShard', 'JsonlWriter',
           'LockTaken', 'UnsafeCheckpoint', 'append_json_lines', 'create_once', 'damaged_record',
           'durable_folder', 'file_lock', 'folder_size', 'is_image', 'iter_json_lines',
           'load_checkpoint_file', 'sync_folder', 'write_durably']
