"""Cards of models, and pushing them to a stand-in of the Hugging Face hub."""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub

from mmtbps.errors import BadValue
from mmtbps.evaluation import RankKMetric
from mmtbps.hub import HubUnreachable, naming_the_hub
from mmtbps.models.dual_encoders import load_dual_encoder
from mmtbps.search import TextToPersonInferencer
from mmtbps.search.encoders.model_card import card_facts
from mmtbps.search.encoders.torch_encoder import TorchEncoder

SECRET = 'hf_secretsecretsecret'
PROTOCOL = ('protocol: DrawnPEDES, split val | gallery with distractors of mals | '
            'checkpoint: unknown')


@pytest.fixture
def best(tiny_encoder, tmp_path):
    """A checkpoint as it is written when it is the best so far."""
    history = {f'val/{key}': HistoryBuffer([value / 2, value], [1, 1]) for key, value in (
        ('t2i/R1', 57.25), ('t2i/mAP', 44.5), ('t2i/queries', 120))}
    file = tmp_path / 'best_t2i_R1_epoch_3.pth'
    torch.save(dict(
        state_dict=tiny_encoder.model.state_dict(),
        meta=dict(epoch=3, cfg="work_dir = '/home/someone'", dataset_meta=dict(
            dataset_name='DrawnPEDES', split='train', ann_files={'reid_raw.json': 'f' * 64})),
        message_hub=dict(log_scalars=history, runtime_info=dict(
            best_of=['t2i/R1', 'val', 'f' * 64],
            protocol=PROTOCOL.replace('mals', '/home/someone/my data/mals')))), file)
    return file


def test_the_card_says_what_the_checkpoint_knows(tiny_config, best, tmp_path):
    TorchEncoder(tiny_config, best, device='cpu').save_pretrained(
        tmp_path / 'model', model_card_kwargs=dict(license='apache-2.0'))
    card = (tmp_path / 'model/README.md').read_text()
    assert 'license: apache-2.0' in card and 'library_name: mmtbps' in card
    assert ('Trained on DrawnPEDES, split train, annotations `reid_raw.json` (sha256 '
            'ffffffffffff)') in card
    assert '| t2i/R1 | 57.25 |\n| t2i/mAP | 44.50 |\n\n' in card and f'`{PROTOCOL}`' in card
    assert 'chosen on that split, by t2i/R1' in card and '/home/someone' not in card
    assert 'mmtbps export --format transformers' in card


def test_what_is_not_known_is_not_in_the_card(tiny_config, best, tmp_path):
    """A copy of the last epoch: its measurement is of another epoch's weights."""
    last = best.rename(tmp_path / 'epoch_3.pth')
    encoder = TorchEncoder(tiny_config, last, device='cpu')
    assert card_facts(encoder)['metrics'] == '' != card_facts(encoder)['data']
    card = str(TorchEncoder(tiny_config, 'random', device='cpu').generate_model_card())
    for line in ('does not say what it was trained on', 'holds no measurement of itself',
                 'No licence of these weights is stated'):
        assert line in card
    assert 'license:' not in card and 'R1' not in card


def test_the_metric_notes_its_protocol_for_the_checkpoint():
    metric = RankKMetric(topk=(1, ))
    metric.dataset_meta = dict(dataset_name='DrawnPEDES', split='val')
    for row in range(2):
        metric.process(None, [dict(image_feature=torch.eye(2)[row], person_id=row, image_id=row,
                                   text_features=torch.eye(2)[row:row + 1])])
    metric.evaluate(2)
    noted = MessageHub.get_current_instance().get_info('protocol')
    assert noted.startswith('protocol: DrawnPEDES, split val | ')


class Hub(BaseHTTPRequestHandler):
    """A stand-in of the hub: a repository is made, files are asked for, a commit is received."""

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        self.server.asked.append(SimpleNamespace(path=self.path, body=body, headers=self.headers))
        if self.path == '/api/repos/create':
            answer = dict(url=f'{self.server.address}/owner/name', name='owner/name', id='1')
        elif '/preupload/' in self.path:
            answer = dict(files=[dict(path=file['path'], uploadMode='regular', shouldIgnore=False)
                                 for file in json.loads(body)['files']])
        else:
            answer = dict(success=True, commitOid='c' * 40, pullRequestUrl=None, hookOutput='',
                          commitUrl=f'{self.server.address}/owner/name/commit/{"c" * 40}')
        self._send(answer)

    def do_GET(self):
        self.server.asked.append(SimpleNamespace(path=self.path, body=b'', headers=self.headers))
        self._send(dict(id='owner/name', sha='d' * 40, siblings=[], private=False))

    def _send(self, answer):
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def hub(monkeypatch):
    server = ThreadingHTTPServer(('127.0.0.1', 0), Hub)
    server.asked, server.address = [], f'http://127.0.0.1:{server.server_port}'
    monkeypatch.setattr('huggingface_hub.constants.ENDPOINT', server.address)
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_OFFLINE', False)
    thread = threading.Thread(target=server.serve_forever, args=(.02, ), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def committed_files(hub):
    """Content by name of the one commit that the hub has received."""
    request, = (asked for asked in hub.asked if '/commit/' in asked.path)
    lines = [json.loads(line)['value'] for line in request.body.splitlines()
             if json.loads(line)['key'] == 'file']
    return {file['path']: base64.b64decode(file['content']) for file in lines}


def test_a_pushed_model_is_its_files_and_its_card_alone(tiny_encoder, hub, tmp_path, monkeypatch):
    """The folder has a licence, a stranger's files and secrets beside them."""
    monkeypatch.setenv('HF_TOKEN', SECRET)
    folder = tmp_path / 'model'
    tiny_encoder.save_pretrained(folder)
    (folder / 'LICENSE').write_text('Only on Sundays.')
    (folder / 'README.md').write_text('---\nlicense: other\n---\nConverted from elsewhere.')
    (folder / '.env').write_text(f'HF_TOKEN={SECRET}')
    (folder / 'diary.txt').write_text(SECRET)
    TorchEncoder(folder, device='cpu').push_to_hub('owner/name', token=SECRET, private=True)
    files = committed_files(hub)
    own = {'README.md', 'LICENSE', 'config.json', 'model.safetensors', 'tokenizer/tokenizer.json',
           'tokenizer/tokenizer_config.json'}
    # transformers 4 writes the vocabulary a second time.
    assert own <= files.keys() <= own | {'tokenizer/vocab.txt', 'tokenizer/special_tokens_map.json'}
    for name in ('README.md', 'LICENSE', 'config.json', 'model.safetensors'):
        assert files[name] == (folder / name).read_bytes(), name
    assert not any(SECRET.encode() in content or str(tmp_path).encode() in content
                   for content in files.values())
    made = next(asked for asked in hub.asked if asked.path == '/api/repos/create')
    assert b'private' in made.body and made.headers['Authorization'] == f'Bearer {SECRET}'


def test_a_pushed_model_opens_as_it_was(tiny_encoder, hub, tmp_path):
    address = TextToPersonInferencer(tiny_encoder).push_to_hub('owner/name', token=SECRET)
    assert address.startswith(hub.address)
    for name, content in committed_files(hub).items():
        (tmp_path / 'got' / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / 'got' / name).write_bytes(content)
    again = TorchEncoder.from_pretrained(tmp_path / 'got', device='cpu')
    assert np.array_equal(again.encode_texts(['a man']), tiny_encoder.encode_texts(['a man']))


def test_a_hub_that_is_gone_is_named(tiny_encoder, hub):
    hub.server_close()  # its port is nobody's
    with pytest.raises(HubUnreachable, match=f'pushing owner/name: {hub.address} cannot be reach'):
        tiny_encoder.push_to_hub('owner/name', token=SECRET)
    with pytest.raises(ValueError, match='no connection here'), naming_the_hub('pushing'):
        raise ValueError('no connection here')


def test_a_folder_of_the_other_kind_is_named(tiny_encoder, tmp_path):
    tiny_encoder.save_pretrained(tmp_path / 'ours')
    with pytest.raises(BadValue, match='ours: a model of ours, not of transformers; leave hf: out'):
        load_dual_encoder(f'hf:{tmp_path / "ours"}')
    (tmp_path / 'theirs').mkdir()
    (tmp_path / 'theirs/config.json').write_text('{"model_type": "clip"}')
    with pytest.raises(BadValue, match='theirs: a model of transformers, not of ours; name it hf:'):
        TorchEncoder.from_pretrained(tmp_path / 'theirs')
