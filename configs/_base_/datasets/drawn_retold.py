"""DrawnPEDES with its captions and, beside them, those that a rewriter has told anew.

The pictures are the same; a second annotation file names them with other captions. It comes from

    mmtbps draw data/DrawnPEDES
    mmtbps generate all configs/generation/retell_rules.py

and for other data sets and rewriters from the other presets there, under a path of its own.
"""

from mmtbps.datasets import DrawnPEDES

#: For train_dataloader.dataset. Paths start from data_root.
source = dict(
    type=DrawnPEDES,
    data_root='data/DrawnPEDES',
    ann_file=['reid_raw.json', '../DrawnPEDES-retold/retold_pairs.jsonl'],
    data_prefix=dict(img_path=['imgs', 'imgs']),
)
