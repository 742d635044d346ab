"""Person detector of OpenCV 4: histograms of gradients, its weights inside the package."""

import numpy as np
import pytest

from mmtbps.search.media.base import Detection
from mmtbps.search.media.detector import whole_pixels

#: Part of the window of a person, 64 x 128 pixels, that is left free at each side.
FREE = .15, .07


class HogDetector:
    """Dalal and Triggs' detector of people who stand, on pictures of some width.

    Args:
        width: That pictures are brought to; people are found from 128 pixels of height on.
        threshold: Least distance from the plane between people and others.
    """

    batch_size = 1

    def __init__(self, width, threshold):
        self.cv2 = pytest.importorskip('cv2')
        if not hasattr(self.cv2, 'HOGDescriptor'):
            pytest.skip(f'OpenCV {self.cv2.__version__} has no HOG detector; 4 has')
        self.width, self.threshold = width, threshold
        self.hog = self.cv2.HOGDescriptor()
        self.hog.setSVMDetector(self.cv2.HOGDescriptor.getDefaultPeopleDetector())

    def __call__(self, images):
        return [self.detect(image) for image in images]

    def detect(self, image):
        scale = image.width / self.width
        small = np.asarray(image.convert('RGB').resize((self.width, round(image.height / scale))))
        windows, scores = self.hog.detectMultiScale(
            small[..., ::-1].copy(), winStride=(8, 8), padding=(16, 16), scale=1.05)
        boxes = [[scale * (left + FREE[0] * width), scale * (top + FREE[1] * height),
                  scale * (left + (1 - FREE[0]) * width), scale * (top + (1 - FREE[1]) * height)]
                 for left, top, width, height in windows]
        found = [Detection(box, min(float(score) / 4, 1.)) for box, score in zip(
            whole_pixels(boxes, image.size), np.ravel(scores), strict=True)
            if box is not None and score >= self.threshold]
        return sorted(found, key=lambda person: -person.score)
