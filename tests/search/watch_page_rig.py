"""A page with a watch behind it: people who have raised alarms, and the file of its rules."""

from contextlib import contextmanager

import yaml
from fakes import ColorEncoder, paint
from webui_rig import PEOPLE, open_page

from mmtbps.search.galleries.factory import open_gallery
from mmtbps.search.indexing import IndexOptions
from mmtbps.search.watching import FileReceiver, Outbox, RuleJudge, StillSource, Watch, read_rules
from mmtbps.search.webui import WatchFolder

RULES = [dict(name='red coat', sentence='a person in a red coat, no hat', min_score=.6),
         dict(name='blue <b>', sentence='all in blue', min_score=.9, where=dict(camera=['c1']),
              cool_down=60.)]
#: Pictures that come while it is watched, by their upper and lower colour: 2 alarms of `red coat`.
COME = ('red-black', 'red-white', 'red-purple', 'green-purple')


def write_rules(file, rules=RULES):
    file.write_text(yaml.safe_dump(rules, sort_keys=False))
    return file


def watch_who_comes(root, rules, come=COME):
    """Fill a gallery, let people come while it is watched, and return the watch's folder."""
    images = root / 'images'
    images.mkdir(parents=True, exist_ok=True)
    encoder = ColorEncoder()
    gallery = open_gallery(root / 'gallery', encoder.fingerprint)
    source = StillSource(images, gallery, encoder, print, options=IndexOptions(progress=False))
    for group in (['green-white', 'yellow-black'], come):
        for number, name in enumerate(group):
            paint(*name.split('-'), size=(32, 80 + number)).save(images / f'{name}.png')
        outbox = Outbox(root / 'watch')
        Watch(source, gallery, RuleJudge(read_rules(rules), gallery, encoder), outbox,
              [FileReceiver(root / 'alarms.jsonl')], print).run()
        outbox.close()
    return root / 'watch'


@contextmanager
def open_watch_page(root, may_change=True, **places):
    """The page of `webui_rig`, whose gallery was watched while four people came."""
    rules = write_rules(root / 'rules.yaml')
    folder = watch_who_comes(root, rules)
    given = dict(folder=folder, rules=rules, may_change=may_change) | places
    with open_page(root, watch=WatchFolder(**given), shown={
            **PEOPLE, 'purple-red': ('c9', 1704585600., None)}) as page:
        page.watch, page.rules = folder, rules
        yield page
