"""Loading of an image, with the pixels that searching has of it too."""

import mmcv
import numpy as np
from mmcv.transforms import LoadImageFromFile as _LoadImageFromFile
from mmengine.fileio import get

from mmtbps.fileio.pictures import decode_picture, is_plain_jpeg
from mmtbps.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadImageFromFile(_LoadImageFromFile):
    """MMCV's transform of this name for images of every kind: training and searching agree.

    A plain JPEG, as nearly all images of the data sets are, is decoded by MMCV; any other image by
    `decode_picture`, by which searching reads all of them: 16 bits, transparency, color profiles.

    **Required key**: ``img_path``. **Output**: ``img``, uint8 (H, W, 3), BGR; ``img_shape``,
    ``ori_shape``.

    Args:
        **options: Of MMCV's transform. With ``to_float32``, ``color_type`` or another
            ``imdecode_backend`` than ``'cv2'`` all images are decoded by MMCV.

    Example::

        dict(type=LoadImageFromFile)  # the first step of a pipeline
    """

    def transform(self, results: dict) -> dict | None:
        """Load the image of an item."""
        usual = (self.to_float32, self.color_type, self.imdecode_backend, self.ignore_empty,
                 self.file_client_args) == (False, 'color', 'cv2', False, None)
        if not usual:
            return super().transform(results)
        data = get(results['img_path'], backend_args=self.backend_args)
        if is_plain_jpeg(data):
            pixels = mmcv.imfrombytes(data)
            assert pixels is not None, f'failed to load image: {results["img_path"]}'
        else:
            pixels = np.ascontiguousarray(np.asarray(decode_picture(data).image)[..., ::-1])
        results['img'] = pixels
        results['img_shape'] = results['ori_shape'] = pixels.shape[:2]
        return results
