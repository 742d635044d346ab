"""Models in TensorFlow Lite's format, run on the CPU."""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mmtbps.errors import BadValue, MissingFile, MissingPackage, first_line

__all__ = ['TFLiteModel']


class TFLiteModel:
    """Model of one input and float outputs, opened at its first use.

    Args:
        file: A ``.tflite`` file, under whatever name.
        shapes: Shapes of its outputs, without the batch, which tell it from another model.

    Raises:
        MissingFile: If there is no such file.
    """

    def __init__(self, file: str, shapes: Sequence[tuple[int, ...]]) -> None:
        self.file, self.shapes = Path(file).expanduser(), list(shapes)
        if not self.file.is_file():
            raise MissingFile(f'{file}: no such file. docs/guides/evidence.md#mediapipe has the '
                              'addresses of the models of MediaPipe')

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the file."""
        return hashlib.sha256(self.file.read_bytes()).hexdigest()

    def __call__(self, pixels: np.ndarray) -> list[np.ndarray]:
        """Compute the outputs, in the order of `shapes`, of one input without its batch.

        Raises:
            MissingPackage: If the runtime is not installed.
            BadValue: If the file is no model, or one with other outputs.
        """
        self._interpreter.set_tensor(self._input, pixels[None].astype(np.float32))
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(output)[0].copy() for output in self._outputs]

    @cached_property
    def _interpreter(self) -> Any:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise MissingPackage('models of TensorFlow Lite need ai-edge-litert: '
                                 'pip install "mmtbps[tflite]"') from error
        try:
            interpreter = Interpreter(str(self.file), num_threads=1)
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise BadValue(f'{self.file}: no model of TensorFlow Lite ({first_line(error)})'
                           ) from error
        return interpreter

    @cached_property
    def _input(self) -> int:
        return self._interpreter.get_input_details()[0]['index']

    @cached_property
    def _outputs(self) -> list[int]:
        found = {tuple(output['shape'][1:].tolist()): output['index']
                 for output in self._interpreter.get_output_details()}
        if lacking := [shape for shape in self.shapes if shape not in found]:
            raise BadValue(f'{self.file}: has outputs {", ".join(map(str, found))}, but none of '
                           f'{lacking[0]}: it is another model')
        return [found[shape] for shape in self.shapes]
