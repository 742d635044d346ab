"""Annotations: CPU time and memory a record when large files of pretraining sets are read.

Files in the published forms are generated, with captions of 28 words (PAB 40); images are not, so
that finding and decoding them is no part of it. Each form is read in a process of its own; `plain`
is `json.load` of all its files, which holds every value of them.
"""

import argparse
import json
import multiprocessing
import random
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmtbps.datasets.readers.names import READERS

WORDS = ('a young man woman wearing black hoodie leaning against wall with hands on hips jeans '
         'and baseball cap red coat blue trousers white shoes brick street standing bag').split()
PER_FILE = 17_000  # as in MALS


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options beside ``--threads`` and ``--out``."""
    parser.add_argument('--records', type=int, default=200_000,
                        help='records of each data set (default: %(default)s)')
    parser.add_argument('--data-sets', nargs='+', choices=FORMS, default=list(FORMS),
                        help='forms to measure (default: all)')


def run(args: argparse.Namespace) -> list[dict]:
    """Measure each form; one row each."""
    context = multiprocessing.get_context('spawn')
    rows = []
    for name in args.data_sets:
        with tempfile.TemporaryDirectory() as folder:
            random.seed(0)
            root = Path(folder)
            (root / READERS[name].image_folder).mkdir(exist_ok=True)
            FORMS[name](root, args.records)
            size = sum(path.stat().st_size for path in root.rglob('*.json'))
            found = []
            for task in (read_records, load_plainly):
                with context.Pool(1) as pool:  # a process each, whose memory begins anew
                    found.append(pool.apply(task, (name, folder)))
        (count, seconds, memory), (_, plain_seconds, plain_memory) = found
        rows.append({
            'data set': READERS[name].dataset_name, 'records': count, 'MB': round(size / 1e6),
            'CPU s': round(seconds, 1), 'microseconds a record': round(seconds / count * 1e6, 1),
            'bytes a record': round(memory / count), 'plain CPU s': round(plain_seconds, 1),
            'plain bytes a record': round(plain_memory / count)})
    return rows


def read_records(name: str, root: str) -> tuple[int, float, int]:
    """Read all records; return their number, CPU seconds, and bytes of memory at the peak."""
    dataset = READERS[name](data_root=root, lazy_init=True)
    return _measured(dataset.read_records)


def load_plainly(name: str, root: str) -> tuple[int, float, int]:
    """Load all files with the `json` of Python, as `read_records` is measured."""
    def load() -> list:
        values = []
        for path in sorted(Path(root).rglob('*.json')):
            with open(path, encoding='utf-8') as file:
                values.append(list(map(json.loads, file)) if name == 'pab' else json.load(file))
        return values

    return _measured(load)


def _measured(task: Callable[[], list]) -> tuple[int, float, int]:
    before, start = _peak(), time.process_time()
    found = task()
    return len(found), time.process_time() - start, _peak() - before


def _peak() -> int:
    status = Path('/proc/self/status')
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    # The other count is inherited from the process that started this one.
    lines = dict(line.split(':', 1) for line in status.read_text(encoding='utf-8').splitlines())
    return int(lines['VmHWM'].split()[0]) * 1024


def write(path: Path, values: Any) -> None:
    """Write a file of JSON."""
    path.write_text(json.dumps(values), encoding='utf-8')


def sentence(words: int = 28) -> str:
    """Return a sentence of random words."""
    return ' '.join(random.choices(WORDS, k=words))


def write_mals(root: Path, count: int) -> None:
    """Write files of MALS."""
    (root / 'gene_attrs').mkdir()
    for start in range(0, count, PER_FILE):
        part = f'c_g_a_{start // PER_FILE}'
        write(root / f'gene_attrs/g_{part}_attrs.json', [dict(
            image=f'gene_crop/{part}/{i}.jpg', caption=sentence(), image_id=f'{part}_{i}',
            label=random.choices((0, 1, -1), k=27)) for i in range(min(PER_FILE, count - start))])


def write_synth_pedes(root: Path, count: int) -> None:
    """Write the file of SYNTH-PEDES, 15 images a person."""
    write(root / 'synthpedes-dataset.json', [dict(
        id=i // 15, file_path=f'Part{1 + i // 15 * 165 // count}/{i // 15}/{i % 15}.jpg',
        attributes=['man,black hair,black shirt,pink shorts,black shoes,unknown'],
        captions=[sentence(), sentence()], prompt_caption=[sentence()]) for i in range(count)])


def write_luperson_mllm(root: Path, count: int) -> None:
    """Write the four files of LUPerson-MLLM."""
    (root / 'captions').mkdir()
    for name in ('Ts-qwen', 'Td-qwen', 'Ts-shikra', 'Td-shikra'):
        write(root / f'captions/{name}.json', {
            f'part{i % 4}/{i}.jpg': sentence() for i in range(count // 4)})


def write_web_person(root: Path, count: int) -> None:
    """Write the file of WebPerson."""
    write(root / '100w.json', [
        {f'{i // 1000}/{i}.jpg': dict(caption1=sentence(), caption2=sentence())}
        for i in range(count)])


def write_pab(root: Path, count: int) -> None:
    """Write a training file of PAB, a record a line."""
    (root / 'annotation/train').mkdir(parents=True)
    with open(root / 'annotation/train/attr_0.json', 'w', encoding='utf-8') as file:
        for i in range(count):
            file.write(json.dumps(dict(
                image=f'train/imgs_0/goal/{i}.jpg', caption=sentence(40), image_id=f'0_{i}',
                hard_i=f'imgs_0/full/{i}.jpg', hard_c=sentence(40), hard_i_id=f'0_{i + 7}',
                source_id='1_0', source_caption=sentence(8), normal='Walking',
                scene='street')) + '\n')


#: By the name of the reader.
FORMS = dict(mals=write_mals, synth_pedes=write_synth_pedes, luperson_mllm=write_luperson_mllm,
             web_person=write_web_person, pab=write_pab)
