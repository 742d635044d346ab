"""Person detector of transformers."""

import math
import os
from collections.abc import Iterable, Sequence

from PIL import Image

from mmtbps.errors import BadValue, MissingFile, UserError, first_line
from mmtbps.hub import hub_options
from mmtbps.pretrained import resolve_pretrained

from .base import Box, Detection, Detector

__all__ = ['Detection', 'Detector', 'DetectorNotLoaded', 'PersonDetector', 'whole_pixels']

PERSON = 'person'
_HUB = 'hf:'


class DetectorNotLoaded(UserError, OSError):
    """A folder or a name on the hub from which no detector can be loaded."""


class PersonDetector(Detector):
    """Object detector of transformers of which the people are kept: RT-DETR, D-FINE, DETR, YOLOS.

    Needs neither torchvision nor, if ``model`` is a folder, the network. Weights are read from
    safetensors only, and code that comes with a model is never run.

    Args:
        model: Folder with ``config.json``, ``preprocessor_config.json`` and
            ``model.safetensors``, or ``'hf:owner/name'`` on the Hugging Face hub, which is asked
            for no other name.
        threshold: Detections with a lower score are left out.
        min_height: People of fewer pixels from head to foot are left out, too.
        device: ``'cpu'``, ``'cuda'``, ``'cuda:1'``; by default CUDA if there is one.
        batch_size: Images in one forward pass.

    Attributes:
        address: Absolute path of the folder, or the name.
        weights_hash: SHA-256 of the network's state dict.

    Raises:
        MissingFile: ``model`` is no name of a hub and no folder.
        DetectorNotLoaded: It cannot be loaded, from disk or from the hub.
        BadValue: It is no object detector or knows no people, its weights are not those that its
            config says or no numbers, or an argument is out of range.
        UserError: There is no such device.

    Example::

        people = PersonDetector('checkpoints/rtdetr_r18vd')([image])[0]
        people[0].box  # of the person with the highest score
    """

    def __init__(self, model: str, threshold: float = .5, min_height: int = 32,
                 device: str | None = None, batch_size: int = 4) -> None:
        if not 0 <= threshold < 1 or batch_size < 1:
            raise BadValue(f'threshold must be in [0, 1) and batch_size at least 1, got threshold '
                           f'{threshold} and batch_size {batch_size}')
        import torch

        from mmtbps.devices import move_to_device
        from mmtbps.models.weights_hash import hash_weights
        self.threshold, self.min_height, self.batch_size = threshold, min_height, batch_size
        device = device or ('cuda' if torch.cuda.is_available() else 'cpu')
        network, self._processor = _load(str(model))
        folder = str(model).removeprefix('hf:')
        self.address = os.path.abspath(folder) if os.path.exists(folder) else str(model)
        self.weights_hash = hash_weights(network.state_dict())
        move_to_device(network, device)
        self.device, self._network = torch.device(device), network.eval()
        self._labels = _labels_of_people(str(model), network.config.id2label)

    def __call__(self, images: Sequence[Image.Image]) -> list[list[Detection]]:
        """Detect the people of each RGB image, those with the highest score first."""
        return [people for start in range(0, len(images), self.batch_size)
                for people in self._detect(images[start:start + self.batch_size])]

    def _detect(self, images: Sequence[Image.Image]) -> list[list[Detection]]:
        import torch
        inputs = self._processor(images=list(images), return_tensors='pt').to(self.device)
        with torch.inference_mode():
            outputs = self._network(**inputs)
        answers = self._processor.post_process_object_detection(
            outputs, threshold=self.threshold,
            target_sizes=[(image.height, image.width) for image in images])
        return [self._people(image, **{key: value.tolist() for key, value in answer.items()})
                for image, answer in zip(images, answers, strict=True)]

    def _people(self, image: Image.Image, boxes: list[list[float]], scores: list[float],
                labels: list[int], **_) -> list[Detection]:
        found = [Detection(box, score) for box, score, label in zip(
            whole_pixels(boxes, image.size), scores, labels, strict=True)
            if label in self._labels and box is not None and box[3] - box[1] >= self.min_height]
        return sorted(found, key=lambda person: (-person.score, person.box))


def whole_pixels(boxes: Iterable[Sequence[float]], size: tuple[int, int]) -> list[Box | None]:
    """Round boxes up to whole pixels and cut them off at the borders of the image.

    Args:
        boxes: (left, top, right, bottom) in pixels.
        size: Width and height of the image.

    Returns:
        As many boxes; ``None`` for one that holds nothing of the image.

    Example:
        >>> whole_pixels([(-3.5, 10.2, 20.1, 99.9), (50, 5, 60, 9)], size=(40, 80))
        [(0, 10, 21, 80), None]
    """
    width, height = size
    whole = []
    for left, top, right, bottom in boxes:
        box = (max(math.floor(left), 0), max(math.floor(top), 0),
               min(math.ceil(right), width), min(math.ceil(bottom), height))
        whole.append(box if box[0] < box[2] and box[1] < box[3] else None)
    return whole


def _load(model: str) -> tuple:
    """Load network and image processor of a folder or a hub name."""
    from safetensors import SafetensorError
    from transformers import AutoImageProcessor, AutoModelForObjectDetection

    from mmtbps.models.backbones.library_models import further_layers
    from mmtbps.models.finite_weights import check_finite
    name = resolve_pretrained(model.removeprefix(_HUB))
    if not model.startswith(_HUB) and not os.path.isdir(name):
        raise MissingFile(f'{model}: no such folder. It should be a detector of transformers '
                          '(config.json, preprocessor_config.json, model.safetensors). One of the '
                          f'Hugging Face hub is named {_HUB}owner/name')
    try:
        network, report = AutoModelForObjectDetection.from_pretrained(
            name, use_safetensors=True, trust_remote_code=False, output_loading_info=True,
            **(found := hub_options(name)))
        lacking = sorted(report['missing_keys'])
        if wrong := lacking or further_layers(network, report['unexpected_keys']):
            raise BadValue(f'{model}: weights and config.json do not belong together: '
                           f'{len(wrong)} {"missing" if lacking else "of further layers"}, such as '
                           f'{wrong[0]}')
        check_finite(network.state_dict(), model)
        return network, AutoImageProcessor.from_pretrained(name, trust_remote_code=False,
                                                           **found)
    except (OSError, SafetensorError) as error:
        raise DetectorNotLoaded(
            f'{model}: not loaded as a detector ({first_line(error)}). It should be a folder '
            'with config.json, preprocessor_config.json and model.safetensors, or the name of '
            'such a model on a Hugging Face hub that can be reached') from error
    except BadValue:
        raise
    except ValueError as error:
        raise BadValue(
            f'{model}: no object detector of transformers ({first_line(error)}). Take RT-DETR '
            'or D-FINE; a model that brings code of its own is refused') from error


def _labels_of_people(model: str, names: dict[int, str]) -> set[int]:
    labels = {int(label) for label, name in names.items() if name.lower() == PERSON}
    if not labels:
        some = ', '.join(sorted(map(str, names.values()))[:8])
        raise BadValue(f'{model}: none of its {len(names)} labels is {PERSON!r} ({some}, ...). '
                       'Take a detector trained on COCO or Objects365')
    return labels
