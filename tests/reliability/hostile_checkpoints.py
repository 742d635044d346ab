"""Hostile checkpoints, each with the function that writes it and the reason of its refusal."""

import json
import os
import pickle
import struct
import zipfile
from pathlib import Path

import torch


def whole():
    """Weights of a layer of four numbers, as `torch.save` writes them."""
    return dict(state_dict={'weight': torch.arange(4.).view(1, 4), 'bias': torch.ones(1)})


def saved(content):
    """Write by `torch.save`."""
    return lambda path: torch.save(content, path)


def text(path):
    path.write_text('weights of epoch 3\n')


def cut(path):
    torch.save(whole(), path)
    path.write_bytes(path.read_bytes()[:-200])


def flip(path):
    """Flip one bit of a tensor's numbers."""
    torch.save(whole(), path)
    data = bytearray(path.read_bytes())
    place = data.find(struct.pack('<f', 3.))
    data[place] ^= 1
    path.write_bytes(bytes(data))


class Command:
    """A pickle that runs a command when it is read."""

    def __reduce__(self):
        return os.system, ('touch hacked', )


class Foreign:
    """A pickle that names a harmless class of another package."""

    def __reduce__(self):
        return Path, ('weights', )


def deep_pickle(path):
    """Lists in lists, far deeper than Python's stack."""
    path.write_bytes(b'\x80\x02' + b']' * 50_000 + b'a' * 49_999 + b'.')


def old_pickle(path):
    """A bare pickle of a dict, as no version of torch wrote it."""
    path.write_bytes(pickle.dumps({'weight': [1., 2.]}))


def rewrite(path, change):
    """Write a whole checkpoint with its records changed: name -> bytes."""
    torch.save(whole(), path)
    with zipfile.ZipFile(path) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    change(records)
    with zipfile.ZipFile(path, 'w') as archive:
        for name, data in records.items():
            archive.writestr(name, data)


def bomb(path):
    """A record that unpacks to 512 MiB of zeros."""
    torch.save(whole(), path)
    with zipfile.ZipFile(path) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, data in records.items():
            if name.endswith('data/0'):
                with archive.open(name, 'w', force_zip64=True) as record:
                    for _ in range(32):
                        record.write(bytes(1 << 24))
            else:
                archive.writestr(name, data)


def claimed(path):
    """A tensor whose pickle says 2**40 numbers where the storage has four."""
    def change(records):
        name = next(name for name in records if name.endswith('data.pkl'))
        # The number of elements of the storage, an int of one byte, becomes one of eight.
        records[name] = records[name].replace(b'K\x04tq', b'\x8a\x06\x00\x00\x00\x00\x00\x01tq', 1)
    rewrite(path, change)


def shifted(path):
    """A tensor whose offset lies beyond its storage."""
    def change(records):
        name = next(name for name in records if name.endswith('data.pkl'))
        data = records[name]
        place = data.find(b'QK\x00', data.find(b'storage'))
        records[name] = data[:place] + b'QM\xff\xff' + data[place + 3:]
    rewrite(path, change)


# ------------------------------------------------------------------ safetensors
def header(fields, data=b'\0' * 16, length=None):
    """Write a safetensors file of a header and bytes."""
    def write(path):
        head = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
        path.write_bytes(struct.pack('<Q', len(head) if length is None else length) + head + data)
    return write


def tensor(start=0, stop=16, shape=(4, ), dtype='F32'):
    return dict(dtype=dtype, shape=list(shape), data_offsets=[start, stop])


# ------------------------------------------------------------------ places
def folder(path):
    path.mkdir()


def pipe(path):
    os.mkfifo(path)


def device(path):
    path.symlink_to('/dev/zero')


def loop(path):
    path.symlink_to(path.name)


def nowhere(path):
    path.symlink_to('gone.pth')


#: Name -> writer, the reason as a regular expression.
FILES = {
    'empty.pth': (Path.touch, 'empty or cut short'),
    'text.pth': (text, 'no checkpoint of torch, or damaged'),
    'cut.pth': (cut, 'cut short or damaged'),
    'flipped.pth': (flip, 'damaged, .*data/0 does not fit its checksum'),
    'command.pth': (saved(dict(state_dict=Command())), 'more than weights .*(posix|os).system'),
    'foreign.pth': (saved(dict(state_dict=Foreign())), 'more than weights .*pathlib'),
    'deep.pth': (deep_pickle, 'cut short or damaged'),
    'pickle.pth': (old_pickle, 'no checkpoint of torch, or damaged'),
    'bomb.pth': (bomb, 'data/0 says that it unpacks to far more'),
    'claimed.pth': (claimed, 'cut short or damaged .*does not match expected size'),
    'shifted.pth': (shifted, 'cut short or damaged .*storage'),
    'list.pth': (saved([torch.ones(1)]), 'no checkpoint, but a list'),
    'number.pth': (saved(3), 'no checkpoint, but a int'),
    'tensor.pth': (saved(torch.ones(3)), 'no checkpoint, but a Tensor'),
    'state_list.pth': (saved(dict(state_dict=[torch.ones(1)])), 'no checkpoint, but a list'),
    'state_none.pth': (saved(dict(state_dict=None)), 'no checkpoint, but a NoneType'),
    'nested.pth': (saved(dict(state_dict=dict(weight=[[torch.ones(1)]]))), 'weight is missing'),
    'numbers.pth': (saved(dict(state_dict={1: torch.ones(1), (2, 3): torch.ones(1)})),
                    '1 is left over'),
    'nan.pth': (saved(dict(state_dict={'weight': torch.full((1, 4), torch.nan),
                                       'bias': torch.ones(1)})), 'NaN or infinity'),
    'swollen.pth': (saved(dict(state_dict={'weight': torch.ones(1).expand(1 << 40),
                                           'bias': torch.ones(1)})), 'of which it holds 4 bytes'),
    'sparse.pth': (saved(dict(state_dict={'weight': torch.eye(4)[:1].to_sparse(),
                                          'bias': torch.ones(1)})), 'but of layout sparse'),
    'meta.pth': (saved(dict(state_dict={'weight': torch.ones(1, 4, device='meta'),
                                        'bias': torch.ones(1)})), 'a shape without any'),
    'complex.pth': (saved(dict(state_dict={'weight': torch.ones(1, 4, dtype=torch.complex64),
                                           'bias': torch.ones(1)})), 'of type complex64'),
    'long.safetensors': (header({'weight': tensor()}, length=1 << 20), 'cut short or damaged'),
    'huge.safetensors': (header({'weight': tensor()}, length=1 << 62), 'cut short or damaged'),
    'overlap.safetensors': (header({'weight': tensor(), 'bias': tensor(8, 24)}, bytes(24)),
                            'cut short or damaged'),
    'beyond.safetensors': (header({'weight': tensor(0, 1 << 40, (1 << 38, ))}), 'cut short'),
    'short.safetensors': (header({'weight': tensor(shape=(5, ))}), 'cut short or damaged'),
    'negative.safetensors': (header({'weight': tensor(shape=(-4, ))}), 'cut short or damaged'),
    'type.safetensors': (header({'weight': tensor(dtype='OBJECT')}), 'cut short or damaged'),
    'twice.safetensors': (header(b'{"weight":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},'
                                 b'"weight":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}'),
                          "'weight' stands twice in its header"),
    'json.safetensors': (header(b'[1, 2]'), 'cut short or damaged'),
    'deep.safetensors': (header(b'[' * 100_000), 'cut short or damaged'),
    'empty.safetensors': (Path.touch, 'cut short or damaged'),
    'folder.pth': (folder, 'a folder, no file'),
    'pipe.pth': (pipe, 'a pipe, no file'), 'device.pth': (device, 'a device, no file'),
    'loop.pth': (loop, 'a link to loop.pth, where no file is'),
    'nowhere.pth': (nowhere, 'a link to gone.pth, where no file is'),
    'line\nbreak\x1b[31m.pth': (text, r'line break\\x1b\[31m.pth: no checkpoint of torch'),
}
