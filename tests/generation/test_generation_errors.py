"""Faults of the user: each is a `UserError` that also is the built-in error it was before."""

from dataclasses import replace

import pytest
import torch
from fake_parts import make_plan
from PIL import Image
from tiny_diffusion import as_pipeline, request

from mmtbps.errors import BadValue, MissingFile, MissingPackage, RecordError, UserError
from mmtbps.generation import (
    DiffusionFinetuner,
    EditFriendlyInversion,
    InstructEditor,
    InvalidRun,
    LDMUpscaler,
    P2PEditor,
    read_plan,
    run_gates,
)
from mmtbps.generation.color import band_of
from mmtbps.generation.diffusion import Schedule, UnfitModel, load_pipeline, trace_attention
from mmtbps.generation.editing import EditResult, garment_mask
from mmtbps.generation.quality import CaptionGate
from mmtbps.generation.runs import read_run


@pytest.mark.parametrize('kind, builtin', [
    (BadValue, ValueError), (MissingFile, FileNotFoundError), (MissingPackage, ImportError),
    (InvalidRun, RuntimeError), (UnfitModel, RuntimeError), (RecordError, ValueError)])
def test_an_error_of_the_user_is_what_it_was(kind, builtin):
    assert issubclass(kind, UserError) and issubclass(kind, builtin)


@pytest.mark.parametrize('build, message', [
    (lambda: P2PEditor('a/b', dtype='int8'), "dtype must be one of .*, got 'int8'"),
    (lambda: InstructEditor('a/b', dtype='int8'), "dtype must be one of .*, got 'int8'"),
    (lambda: LDMUpscaler('a/b', dtype='int8'), "dtype must be one of .*, got 'int8'"),
    (lambda: DiffusionFinetuner('a/b', dtype='int8'), "dtype must be one of .*, got 'int8'"),
    (lambda: InstructEditor('a/b', instruction='a {colour} {noun}'), 'an instruction may use'),
    (lambda: InstructEditor('a/b', instruction='{'), 'an instruction may use'),
    (lambda: load_pipeline('NoPipeline', 'a/b', torch.float32), "no pipeline 'NoPipeline'"),
    (lambda: EditFriendlyInversion(skip=1.), r'skip must lie in \[0, 1\), got 1.0'),
    (lambda: garment_mask(torch.zeros(2, 2, 3).numpy(), 'teal', (0, 1)), 'no basic colour'),
    (lambda: band_of('head'), "no band for region 'head'"),
    (lambda: replace(request(), source_span=(3, 3)), r'job: span \(3, 3\) is not inside'),
])
def test_a_wrong_value_is_named(build, message):
    with pytest.raises(BadValue, match=message):
        build()


def test_steps_and_gates_that_make_no_sense(tiny_parts):
    with pytest.raises(BadValue, match=r'steps must lie in \[1, 500\], got 501'):
        Schedule(tiny_parts['scheduler'], 501)
    asked = request()
    with pytest.raises(BadValue, match="two gates are called 'caption'"):
        run_gates([CaptionGate(), CaptionGate()], asked, EditResult('job', asked.image))


def test_a_model_without_attention_is_refused():
    class Net(torch.nn.Module):
        attn_processors = {}

        def set_attn_processor(self, processors):
            pass

        def forward(self, *_, **__):
            pass

    with pytest.raises(UnfitModel, match='attention control does not fit Net: 0 layers'):
        trace_attention(Net(), torch.zeros(1, 4, 8, 4), torch.zeros(1, 2, 3))


def test_broken_files_of_a_run_are_named(tmp_path):
    (tmp_path / 'run.json').write_text('{"schema": ')
    with pytest.raises(RecordError, match='run.json: broken JSON'):
        read_run(tmp_path)
    job = read_plan(make_plan(tmp_path))[0]
    del job.edit['spans'][0]['target']
    with pytest.raises(RecordError, match='00ab: broken job of cam_a/1_0.png .KeyError: .target'):
        job.request('00ab', Image.new('RGB', (8, 24)), 0)


def test_a_size_the_model_does_not_give_back(tiny_parts):
    editor = P2PEditor(pipeline=as_pipeline(tiny_parts), size=(64, 30), steps=2, dtype='fp32',
                       device='cpu')
    with pytest.raises(BadValue, match='choose a multiple of its down-scaling'):
        editor.edit([request()])
