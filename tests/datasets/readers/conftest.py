"""Data sets in their published form, in a folder of the test."""

import json

import pytest
from published_samples import SAMPLES

from mmtbps.datasets.readers.names import READERS


@pytest.fixture
def write_sample(tmp_path, write_image):
    """A function that writes the files of a sample with their images; returns arguments."""

    def write(name, files=None, images=True):
        sample = SAMPLES[name]
        for file, content in (sample.files if files is None else files).items():
            path = tmp_path / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content if isinstance(content, str) else json.dumps(content))
        folder = tmp_path / READERS[name].image_folder
        folder.mkdir(exist_ok=True)
        if images:
            queries = [entry['file_path'] for entry in sample.files.get('query.json', ())]
            for image in [*(record[0] for record in sample.records), *queries]:
                write_image(folder / image)
        named = dict(jsonl='pairs.jsonl', pairs='mine.json').get(name)
        return dict(data_root=str(tmp_path), **(dict(ann_file=named) if named else {}))

    return write


@pytest.fixture
def read(write_sample):
    """A function that reads the records of a sample, perhaps with other files and arguments."""

    def run(name, files=None, **arguments):
        dataset = READERS[name](**write_sample(name, files, images=False) | arguments,
                                lazy_init=True)
        return dataset.read_records()

    return run
