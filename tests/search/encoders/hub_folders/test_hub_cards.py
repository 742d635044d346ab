"""Cards of folders for other libraries: nothing that is known of a model is lost."""

import pytest
import torch
from mmengine.config import Config

from mmtbps.search.encoders import TorchEncoder
from mmtbps.search.encoders.hub_folders import export_hub_folder
from mmtbps.search.encoders.model_card import card_facts, stated_licence
from mmtbps.search.encoders.notices import NOTICES


def test_notices_of_licences_travel(encoders, tmp_path):
    """Those of the converted folder, its card, and CLIP's tokenizer."""
    encoders['clip_square'].save_pretrained(tmp_path / 'model')
    (tmp_path / 'model/LICENSE').write_text('Only on Sundays.')
    (tmp_path / 'model/README.md').write_text('Licence: that of the source.')
    export_hub_folder(TorchEncoder(tmp_path / 'model', device='cpu'), tmp_path / 'out')
    notices = (tmp_path / 'out/NOTICE.md').read_text()
    assert 'Only on Sundays.' in notices and 'that of the source' in notices
    card = (tmp_path / 'out/README.md').read_text()
    assert 'Copyright (c) 2021 OpenAI' in notices and 'license: other\nlicense_name: ' in card
    assert f'license_link: {NOTICES}\n' in card and (tmp_path / 'out' / NOTICES).is_file()


def test_the_card_of_the_folder_goes_on(encoders, tmp_path):
    """Its licence, data and measures; a later model of the same folder does not lose them."""
    encoders['siglip_upright'].save_pretrained(tmp_path / 'model')
    (tmp_path / 'model/README.md').write_text(
        '---\nlicense: cc-by-nc-4.0\n---\n\n## Data\n\nTrained on Mine.\n\n## Metrics\n\n'
        'R1 is 7.\n\n## Licence\n\nNobody may sell it.\n')
    export_hub_folder(TorchEncoder(tmp_path / 'model', device='cpu'), tmp_path / 'out')
    card = (tmp_path / 'out/README.md').read_text()
    assert '\nlicense: cc-by-nc-4.0\n' in card and 'license: other' not in card
    assert '\n## Data\n\nTrained on Mine.\n' in card and '\n## Metrics\n\nR1 is 7.\n' in card
    assert 'Nobody may sell it.' in (tmp_path / 'out' / NOTICES).read_text()


@pytest.mark.parametrize('card', [
    'no card of the hub', '---\nlicense: [a, b]\n---\n', '---\nlicense: "x\\ny: 1"\n---\n',
    '---\n: : {\n---\n', '---\nlicense: other\n---\n\n## Data\n\nThe checkpoint does not say what '
    'it was trained on.\n\n## Metrics\n\nThe checkpoint holds no measurement of itself.\n'])
def test_a_card_that_says_nothing_gives_nothing(card, encoders, tmp_path, capfd):
    encoders['siglip_upright'].save_pretrained(tmp_path / 'model')
    (tmp_path / 'model/README.md').write_text(card)
    encoder = TorchEncoder(tmp_path / 'model', device='cpu')
    assert stated_licence(encoder) is None
    assert 'metadata' not in capfd.readouterr().err
    facts = card_facts(encoder)
    assert facts['data'] == facts['metrics'] == ''


def test_the_card_has_what_the_checkpoint_knows(encoders, tmp_path):
    encoder = encoders['siglip_upright']
    file = tmp_path / 'best_t2i_R1_epoch_2.pth'
    torch.save(dict(
        state_dict=encoder.model.state_dict(), meta=dict(time='20261128_181500', dataset_meta=dict(
            dataset_name='Mine', split='train')),
        message_hub=dict(runtime_info=dict(protocol='protocol: Mine, split val'), log_scalars={})),
        file)
    config = Config(dict(default_scope='mmtbps', model=encoder._source.model, test_dataloader=dict(
        dataset=dict(pipeline=encoder._source.pipeline))))
    export_hub_folder(TorchEncoder(config, file, device='cpu'), tmp_path / 'out')
    card = (tmp_path / 'out/README.md').read_text()
    assert 'Trained on Mine, split train.' in card and '`protocol: Mine, split val`' in card
    assert 'Measured by the training itself on 2026-11-28, on its validation split.' in card
