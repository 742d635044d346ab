"""A page of `mmtbps serve` as the benchmark of serving asks it, in a process of its own.

    python -m benchmarks.serving_page MODEL RUNTIME BATCH GALLERY PORT THREADS

MODEL is a folder of transformers for ``torch``, an exported one for ``int8``.
"""

import sys

import torch

from mmtbps.search import TextToPersonInferencer
from mmtbps.search.encoders import OnnxEncoder
from mmtbps.search.encoders.pretrained_encoder import PretrainedEncoder
from mmtbps.search.webui import serve

if __name__ == '__main__':
    model, runtime, batch, gallery, port, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    encoder = (PretrainedEncoder(model, 'cpu', int(batch), aspect='letterbox')
               if runtime == 'torch' else
               OnnxEncoder(model, 'int8', int(batch), threads=int(threads)))
    searcher = TextToPersonInferencer(encoder, gallery=gallery, images=gallery, presence=False)
    serve(searcher, gallery, port=int(port))
