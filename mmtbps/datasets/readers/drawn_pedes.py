"""Reader of DrawnPEDES."""

from mmtbps.registry import DATASETS

from .cuhk_pedes import CUHKPEDES


@DATASETS.register_module()
class DrawnPEDES(CUHKPEDES):
    """Reader of DrawnPEDES, the data set that this package draws, laid out like CUHK-PEDES.

    Arguments as in :class:`TBPSDataset`.
    """

    dataset_name = 'DrawnPEDES'
    how_to_get = 'It is drawn, not downloaded'
    remedy = 'draw_dataset'
    published_sizes = {}
