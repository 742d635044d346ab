"""Generation of pairs, killed at 20 moments: images and manifest are those of an uninterrupted run.
"""

import pytest
from campaigns import content, kill_again_and_again, read_manifest

pytestmark = pytest.mark.slow
#: The claim of a folder is written under a name of its own, which a kill may leave.
LEFT = r'^\.lock$|^out/run\.json\.\w+\.partial$'


def test_killed_while_it_edits(tools, micro_set, tmp_path):
    def call(command, folder, **options):
        return tools.run(
            'tools/generate.py', command, 'configs/generation/pdg_recolor.py', '--cfg-options',
            f'dataset.data_root={micro_set}', f'generation.runner.out_dir={folder}/out',
            'generation.upscaler.size=(96,32)', 'generation.runner.num_controls=(12,0.)',
            'generation.runner.batch_size=4', watch=folder, **options)

    def job(folder, kill, again, **_):
        folder.mkdir(exist_ok=True)
        if not again:
            assert call('plan', folder).code == 0
        return call('run', folder, kill=kill, calls=[
            'mmtbps.generation.editing.recolor:RecolorEditor.edit'])

    kill_again_and_again('generate', job, lambda folder: content(folder, LEFT, read_manifest),
                         tmp_path)
