"""Draw the answers of a model: heat-maps of words, attention, failures, a map of its features.

Examples:
    mmtbps visualize heatmap CONFIG CHECKPOINT crop.jpg "a man in red" --out heat.png
    mmtbps visualize rollout CONFIG CHECKPOINT crop.jpg --out rollout.png
    mmtbps visualize failures CONFIG CHECKPOINT --out-dir work_dirs/failures --worst 20
    mmtbps visualize embedding CONFIG CHECKPOINT --out map.png --people 12

For heatmap and rollout CONFIG may also be the name of a shipped config. In place of a CHECKPOINT a
pretrained model of another library can be named, on the data of a config:

    mmtbps visualize failures CONFIG --model hf:openai/clip-vit-base-patch16 --out-dir DIR
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from mmengine.dist import collect_results, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from PIL import Image
from torch import Tensor

from mmtbps.engine.launch import (
    add_allow_missing,
    add_common_options,
    allow_missing_images,
    build_runner,
    check_weights,
    leave_group,
    load_config,
    name_model,
)
from mmtbps.errors import BadValue
from mmtbps.fileio import check_writable, encode_json, explained_disk_full, write_durably
from mmtbps.search.encoders.base import Encoder
from mmtbps.search.encoders.explain import rollout_map, word_heat_map
from mmtbps.search.encoders.loading import load_encoder
from mmtbps.search.encoders.torch_encoder import TorchEncoder
from mmtbps.search.media.images import read_image
from mmtbps.visualization import (
    draw_embedding_map,
    draw_heat_map,
    draw_rank_list,
    draw_rank_sheet,
    draw_word_heat_maps,
    project_embeddings,
)
from mmtbps.visualization.embedding_map import load_tsne

from .options.model import add_model_positionals, chosen_preprocessing, prepare_named_test
from .wording.command_names import CommandParser, add_verb
from .wording.licence_notice import print_model_notice

__all__ = ['Encoded', 'add_arguments', 'describe_failure', 'draw_failure', 'embedding',
           'encode_test_set', 'failures', 'heatmap', 'rank_images', 'rollout', 'run',
           'worst_queries']

_CHUNK = 256  # queries ranked at once
_FAILURES_PER_SHEET = 2


def add_arguments(parser: CommandParser) -> None:
    """Add the four drawings, each a verb."""
    verbs = parser.add_subparsers(dest='command', required=True)

    def add(name: str, action: object, text: str) -> argparse.ArgumentParser:
        command = add_verb(verbs, name, text, __doc__)
        command.set_defaults(action=action)
        add_model_positionals(command, parser.words, needs_config=action in (failures, embedding))
        return command

    for name, action, text in (
            ('heatmap', heatmap, 'how much each place of a picture is like each word'),
            ('rollout', rollout, 'where the image tower looks, whatever the words')):
        command = add(name, action, text)
        command.add_argument('image', help='a crop of a person')
        if action is heatmap:
            command.add_argument('text', help='what is asked for')
        command.add_argument('--out', required=True, metavar='FILE', help='picture to write')
        command.add_argument('--device', help='cpu, cuda, cuda:1; default: the best there is')
    command = add('failures', failures, 'queries whose right image comes late, and what came '
                  'before it: sheets and failures.jsonl')
    command.add_argument('--out-dir', required=True, metavar='FOLDER')
    command.add_argument('--worst', type=int, default=20, help='so many queries (default: 20)')
    command.add_argument('--topk', type=int, default=10, help='images of each (default: 10)')
    _add_test_options(command)
    command = add('embedding', embedding, 'images and captions of a few people on a plane, by '
                  't-SNE')
    command.add_argument('--out', required=True, metavar='FILE', help='picture to write')
    command.add_argument('--people', type=int, default=12, help='so many (default: 12)')
    command.add_argument('--seed', type=int, default=0, help='of the layout')
    _add_test_options(command)


def run(args: argparse.Namespace) -> None:
    """Draw what was asked for."""
    args.action(args)


def _add_test_options(command: argparse.ArgumentParser) -> None:
    command.add_argument('--split', choices=['test', 'val'], default='test',
                         help='which of the config\'s data loaders to take')
    add_allow_missing(command)
    add_common_options(command)


# ------------------------------------------------------------------ one picture
def heatmap(args: argparse.Namespace) -> None:
    """Draw the similarity of each place of a picture and each word of a text."""
    _check_target(args.out)
    image, encoder = read_image(args.image), _encoder(args)
    maps = word_heat_map(encoder, image, args.text)
    _save(draw_word_heat_maps(image, [maps.total, *maps.heat],
                              ['the whole sentence', *maps.words]), args.out)


def rollout(args: argparse.Namespace) -> None:
    """Draw the share of each place of a picture in its feature."""
    _check_target(args.out)
    image, encoder = read_image(args.image), _encoder(args)
    _save(draw_heat_map(image, rollout_map(encoder, image), 'attention roll-out'), args.out)


def _check_target(path: str) -> None:
    known = Image.registered_extensions()
    if known.get(Path(path).suffix.lower()) not in Image.SAVE:
        raise BadValue(f'{path}: no picture can be written under this name; end it in .png')
    check_writable(path)


def _encoder(args: argparse.Namespace) -> Encoder:
    if args.model is None:
        return TorchEncoder(args.config, weights=args.checkpoint, device=args.device)
    return load_encoder(args.model, None, args.device, notify=print_model_notice,
                        **chosen_preprocessing(args))


def _save(picture: Image.Image, path: str) -> None:
    kind = Image.registered_extensions()[Path(path).suffix.lower()]
    write_durably(path, lambda to: picture.save(to, kind))
    print(path)


# ------------------------------------------------------------------ the test set
@dataclass
class Encoded:
    """Features of a test set: N images, Q captions."""

    name: str
    paths: list[str]
    people: Tensor  # (N,)
    images: Tensor  # (N, D)
    captions: list[str]
    texts: Tensor  # (Q, D)
    owners: Tensor  # (Q,) the image each caption was written for
    own_counts: bool  # whether that image counts as found, as in the evaluation


class _Keep(Hook):
    """Hook that keeps the features of every test image and of its captions."""

    def __init__(self) -> None:
        self.entries: list[dict] = []

    def after_test_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.entries += [dict(
            path=sample.img_path, person=int(sample.person_id), captions=list(sample.captions),
            image=sample.image_feature.cpu(), texts=sample.text_features.cpu())
            for sample in outputs]


def encode_test_set(args: argparse.Namespace) -> Encoded | None:
    """Evaluate as ``mmtbps test`` does and return the features, in the first process alone."""
    cfg = load_config(args, *(() if args.model else ('model', )))
    checkpoint = prepare_named_test(cfg, args)
    if args.allow_missing:
        allow_missing_images(cfg)
    runner, keep = build_runner(cfg), _Keep()
    if checkpoint is None:
        name_model(runner)
    else:
        check_weights(runner, checkpoint)
    runner.register_hook(keep)
    with explained_disk_full(cfg.work_dir):
        runner.test()
    dataset = runner.test_dataloader.dataset
    if (left_out := dataset.metainfo.get('left_out')) and is_main_process():
        print(left_out)
    entries = collect_results(keep.entries, len(dataset), device='gpu')  # by messages, no files
    leave_group()
    return entries and _join(entries, runner)


def _join(entries: list[dict], runner: Runner) -> Encoded:
    metainfo = runner.test_dataloader.dataset.metainfo
    counts = torch.tensor([len(entry['captions']) for entry in entries])
    return Encoded(
        name=f'{metainfo.get("dataset_name", "data set")} {metainfo.get("split", "")}'.strip(),
        paths=[entry['path'] for entry in entries],
        people=torch.tensor([entry['person'] for entry in entries]),
        images=torch.stack([entry['image'] for entry in entries]),
        captions=[caption for entry in entries for caption in entry['captions']],
        texts=torch.cat([entry['texts'] for entry in entries]),
        owners=torch.arange(len(entries)).repeat_interleave(counts),
        own_counts=not any(getattr(metric, 'cross_image_only', False)
                           for metric in runner.test_evaluator.metrics))


# ------------------------------------------------------------------ failures
def failures(args: argparse.Namespace) -> None:
    """Write the queries with the worst ranks as sheets and as ``failures.jsonl``."""
    if args.worst < 1 or args.topk < 1:
        raise BadValue('--worst and --topk must be at least 1')
    check_writable(args.out_dir, folder=True)
    data = encode_test_set(args)
    if data is None:
        return
    queries = worst_queries(data, args.worst)
    if not queries:
        print('no failures: every query has its first right image at rank 1')
        return
    failed = [describe_failure(data, query, args.topk) for query in queries]
    folder = Path(args.out_dir)
    write_durably(folder / 'failures.jsonl', ''.join(
        encode_json(failure) + '\n' for failure in failed))
    print(folder / 'failures.jsonl')
    for start in range(0, len(failed), _FAILURES_PER_SHEET):
        some = failed[start:start + _FAILURES_PER_SHEET]
        _save(draw_rank_sheet([row for failure in some for row in draw_failure(failure)]),
              str(folder / f'failures_{start // _FAILURES_PER_SHEET:02d}.png'))


def rank_images(data: Encoded, queries: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Rank all images, best first; equal scores keep the order of the data set.

    Args:
        data: the test set.
        queries: ``(q,)`` captions.

    Returns:
        ``(q, N)`` scores, images, and a mask of the images that show the person.
    """
    scores = data.texts[queries] @ data.images.T
    right = data.people == data.people[data.owners[queries], None]
    if not data.own_counts:
        own = data.owners[queries, None]
        scores, right = scores.scatter(1, own, -torch.inf), right.scatter(1, own, False)
    scores, order = scores.sort(dim=1, descending=True, stable=True)
    return scores, order, right.gather(1, order)


def worst_queries(data: Encoded, count: int) -> list[int]:
    """Return the queries whose first right image has the worst ranks, worst first; never rank 1.

    Queries without a right image to be found are left out, as in the evaluation.
    """
    ranks = []
    for queries in torch.arange(len(data.captions)).split(_CHUNK):
        right = rank_images(data, queries)[2]
        ranks.append(torch.where(right.any(1), right.int().argmax(1) + 1, 0))
    ranks, queries = torch.cat(ranks).sort(descending=True, stable=True)
    return queries[ranks > 1][:count].tolist()


def describe_failure(data: Encoded, query: int, topk: int) -> dict:
    """Describe a query: the rank of its first right image, the images returned, the right ones."""
    scores, order, right = (row[0] for row in rank_images(data, torch.tensor([query])))

    def hits(ranks: list[int]) -> Iterator[dict]:
        for rank in ranks:
            image = int(order[rank])
            yield dict(rank=rank + 1, image=data.paths[image], person_id=int(data.people[image]),
                       score=round(float(scores[rank]), 4), right=bool(right[rank]))

    places = right.nonzero().flatten().tolist()
    owner, gallery = data.owners[query], int(scores.isfinite().sum())
    return dict(query=data.captions[query], query_image=data.paths[owner],
                person_id=int(data.people[owner]), rank=places[0] + 1, gallery=gallery,
                returned=[*hits(range(min(topk, gallery)))], right=[*hits(places[:topk])])


def draw_failure(failure: dict) -> Iterator[Image.Image]:
    """Draw two lists: the images returned, and the right images."""
    ranks = ', '.join(str(hit['rank']) for hit in failure['right'])
    for hits, query, title in (
            (failure['returned'], failure['query'], f'first right image at rank {failure["rank"]} '
             f'of {failure["gallery"]}; returned instead:'),
            (failure['right'], f'The right images, at rank {ranks}', '')):
        yield draw_rank_list(query, [hit['image'] for hit in hits], [hit['right'] for hit in hits],
                             [hit['score'] for hit in hits], title)


# ------------------------------------------------------------------ embedding map
def embedding(args: argparse.Namespace) -> None:
    """Draw images and captions of a few people on a plane."""
    load_tsne()  # before the minutes of encoding
    if args.people < 1:
        raise BadValue('--people must be at least 1')
    _check_target(args.out)
    data = encode_test_set(args)
    if data is None:
        return
    people = data.people.unique()
    step = max(1, len(people) // args.people)
    chosen = people[::step][:args.people]
    images = torch.isin(data.people, chosen)
    texts = images[data.owners]
    features = torch.cat([data.images[images], data.texts[texts]])
    owners = torch.cat([data.people[images], data.people[data.owners][texts]])
    kinds = ['image'] * int(images.sum()) + ['caption'] * int(texts.sum())
    points = project_embeddings(features.numpy(), seed=args.seed)
    _save(draw_embedding_map(points, owners.tolist(), kinds,
                             f'{data.name}: {kinds.count("image")} images and '
                             f'{kinds.count("caption")} captions of {len(chosen)} people, t-SNE'),
          args.out)
