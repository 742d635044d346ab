"""Log of a stranger's hour: what the tutorials say, done with a wheel alone, and what it printed.

    python -m build
    python docs/record_hour.py dist/mmtbps-VERSION-py3-none-any.whl

makes an environment and an empty folder under the temporary one, does there what the README and the
tutorials say in their order, and writes the last part of `tutorials/strangers_hour.md`. It takes
half an hour to an hour on two cores, and a network for the packages. It ends with 1, and names
them, if there are commands that ended otherwise than they should.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from datetime import date
from pathlib import Path

DOCS = Path(__file__).resolve().parent
PAGE = DOCS / 'tutorials/strangers_hour.md'
HEADING = '## The log\n'
OWN = 'tutorials/train_on_your_own_json.md'
#: Of towers of full size: one epoch of two people.
FULL_SIZE = ' --cfg-options train_cfg.max_epochs=1 train_dataloader.batch_size=2'
FOUR = 'torchrun --standalone --nproc-per-node 4 -m mmtbps'
#: Commands that run in another form here, or not at all, and why; `None` is not at all.
INSTEAD = {
    'pip install -e ".[mm,search,demo]"': ('pip install "WHEEL[mm,search,demo]"',
                                           'of a wheel, as the guide on installing says'),
    'mmtbps convert irra best0.pth person-model    # the one you fetched': (
        'mmtbps convert irra best0.pth person-model', None),
    'mmtbps index people.lance /path/to/crops --model person-model': (
        'mmtbps index people.lance crops --model person-model', None),
    'mmtbps train own_data': ('cd ../few && mmtbps train own_data' + FULL_SIZE,
                              'one epoch of two people: the towers are CLIP ViT-B/16'),
    'mmtbps train own_data --resume': (
        'cd ../few && mmtbps train own_data --resume' + FULL_SIZE.replace('epochs=1', 'epochs=2'),
        None),
    f'{FOUR} train vit_bert_base_cuhk --launcher pytorch': (
        f'{FOUR} train vit_bert_base_cuhk --launcher pytorch'.replace(' 4 ', ' 2 ')
        + FULL_SIZE.replace('=2', '=1'), 'two processes, one epoch of two people'),
    f'{FOUR} train vit_bert_pdg_cuhk --launcher pytorch': (
        'mmtbps train vit_bert_pdg_cuhk' + FULL_SIZE, 'one process, one epoch of two people'),
    'mmtbps test vit_bert_pdg_cuhk work_dirs/vit_bert_pdg_cuhk/epoch_70.pth --out metrics.json': (
        'mmtbps test vit_bert_pdg_cuhk work_dirs/vit_bert_pdg_cuhk/epoch_1.pth --out metrics.json',
        None),
    'mmtbps ablation ablation_drawn --seeds 3': (
        'mmtbps ablation ablation_drawn --seeds 1 --steps 6 --arms baseline',
        'one arm of six steps; the whole is hours'),
}
#: A page that is served ends by Ctrl-C; drawn people are not the published ones.
ENDS = {'mmtbps serve': 130, 'mmtbps check-data vit_bert_pdg_cuhk': 1}
_SHOWN = re.compile(r'Epoch\((train|val|test)\)|protocol:|best checkpoint|^error|^warning|Resumed')
_ANSI = re.compile(r'\x1b\[[0-9;?]*[a-zA-Z]')


class Hour:
    """The environment, the folder of the moment, and the log so far."""

    def __init__(self, home: Path, wheel: Path) -> None:
        self.home, self.wheel, self.place, self.log = home, wheel, home, []
        self.faults = []
        keep = {key: value for key, value in os.environ.items()
                if not key.startswith(('PYTHON', 'VIRTUAL_ENV', 'HF_'))}
        self.environment = keep | dict(
            PATH=f'{home}/environment/bin{os.pathsep}{os.environ["PATH"]}', COLUMNS='100',
            HF_HOME=str(home / 'stand-ins/cache'), PIP_DISABLE_PIP_VERSION_CHECK='1')

    def say(self, text: str) -> None:
        self.log.append(text)
        print(text, flush=True)

    def work_in(self, name: str, title: str, *links: str) -> None:
        """Begin a task in a folder, to which files of others are linked."""
        self.place = self.home / name
        self.place.mkdir(exist_ok=True)
        for link in links:
            target = self.place / link.rpartition('/')[2]
            if not target.exists():
                target.symlink_to(self.home / link)
        self.say(f'### {title}')

    def do(self, line: str) -> None:
        """Do a command as it stands in a page, or what takes its place."""
        command, why = INSTEAD.get(line, (line, None))
        command = command.replace('WHEEL', str(self.wheel))
        begun = time.monotonic()
        if ' serve ' in command:
            code, printed = self._serve(command)
        else:
            done = subprocess.run(['bash', '-c', command], cwd=self.place, text=True,
                                  env=self.environment, errors='replace', stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            code, printed = done.returncode, done.stdout
        seconds = time.monotonic() - begun
        shown = '\n'.join([f'$ {command}', *shorten(printed)]).replace(f'{self.home}/', '~/')
        self.say(f'```text\n{shown.replace(str(self.wheel), self.wheel.name)}\n```')
        self.say(f'*{seconds:.0f} s, exit {code}' + (f'; {why}' if why else '') + '*')
        self.faults += [] if code == should_end(command) else [f'{command}: exit {code}']

    def _serve(self, command: str) -> tuple[int, str]:
        """Open the page, ask for it once, and stop it as Ctrl-C does."""
        with subprocess.Popen(['bash', '-c', f'exec {command}'], cwd=self.place, text=True,
                              env=self.environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT) as server:
            answer = ''
            for _ in range(120):
                time.sleep(1)
                if server.poll() is not None:
                    break
                try:
                    with urllib.request.urlopen('http://127.0.0.1:7860', timeout=5) as page:
                        answer = f'(a browser gets: {page.status} {page.reason})\n'
                    break
                except OSError:
                    continue
            server.send_signal(signal.SIGINT)
            printed = server.communicate(timeout=60)[0]
        return server.returncode, printed + answer

    def follow(self, page: str, first: int = 0, last: int | None = None) -> None:
        """Do what a page says, by its blocks: files are written, the rest is run."""
        for language, code in blocks(DOCS / page)[first:last]:
            name = re.match(r'# (\w+\.py)\n', code)
            if language == 'python' and name:
                (self.place / name[1]).write_text(code)
                self.say(f'`{name[1]}` is written as it stands on the page.')
            elif language == 'python':
                (self.place / 'listing.py').write_text(code)
                self.do('python listing.py    # the listing of the page')
            elif language == 'bash':
                for line in code.splitlines():
                    self.do(line)


def should_end(command: str) -> int:
    """Return the exit code that a command should have."""
    return next((code for words, code in ENDS.items() if command.startswith(words)), 0)


def blocks(page: Path) -> list[tuple[str, str]]:
    """Fenced blocks of a page; a file comes before the commands that use it."""
    found = re.findall(r'^```(\w+)\n(.*?)^```$', page.read_text('utf-8'), re.MULTILINE | re.DOTALL)
    files = [block for block in found if block[1].startswith('# ') and block[0] == 'python']
    return files + [block for block in found if block not in files]


def shorten(printed: str) -> list[str]:
    """Leave what a reader looks for: of a training its epochs, of all else the two ends."""
    lines = [_ANSI.sub('', line.rpartition('\r')[2]).rstrip()[:230] for line in
             printed.replace('\r\n', '\n').split('\n')]
    lines = [line for line in lines if line and 'pypi' not in line and 'it/s]' not in line]
    if installed := [line for line in lines if line.startswith('Successfully installed')]:
        return [f'...\n{installed[-1][:150]} ...']
    if len(lines) > 60 and any('mmengine - INFO' in line for line in lines):
        lines = ['...', *(line for line in lines if _SHOWN.search(line))]
    return lines if len(lines) <= 16 else [*lines[:7], '...', *lines[-7:]]


def install(hour: Hour) -> None:
    """Make the environment, with torch first."""
    hour.say('### Install, as the README says')
    subprocess.run([sys.executable, '-m', 'venv', hour.home / 'environment'], check=True)
    for line in blocks(DOCS.parent / 'README.md')[0][1].splitlines()[:2]:
        hour.do(line)
    hour.do('mmtbps --version')


def prepare(hour: Hour) -> None:
    """Make what takes the place of photographs and published models."""
    hour.work_in('few', 'Drawn people, and stand-ins for what is downloaded')
    (hour.place / 'convert.py').write_text(blocks(DOCS / OWN)[0][1])
    hour.do('mmtbps draw data/drawn --people 2 1 1 --workers 1')
    hour.do('python convert.py')
    hour.do('mmtbps draw data/CUHK-PEDES --people 2 1 1 --workers 1')
    subprocess.run([hour.home / 'environment/bin/python', DOCS / 'stand_ins.py',
                    hour.home / 'stand-ins', hour.place / 'data/drawn'],
                   check=True, env=hour.environment)
    weights = hour.place / 'weights'
    weights.mkdir()
    for name in ('bert-base-uncased', 'timm', 'ViT-B-16.pt'):
        (weights / name).symlink_to(hour.home / 'stand-ins' / name)
    hour.environment['HF_HUB_OFFLINE'] = '1'  # what is in the cache is all there is
    for words in ('timm weights/timm weights/vit_base_patch16_384.pth',
                  'openai_clip weights/ViT-B-16.pt weights/clip_vit_b16.pth'):
        hour.do(f'mmtbps convert {words} | tail -1')


def spend(hour: Hour) -> None:
    """Do the tasks of the README and of each tutorial."""
    hour.work_in('readme', 'Search your own photographs, as the README says')
    (hour.place / 'crops').symlink_to(hour.home / 'few/data/drawn/imgs')
    shutil.copy(hour.home / 'stand-ins/best0.pth', hour.place)
    for line in blocks(DOCS.parent / 'README.md')[0][1].splitlines()[2:]:
        hour.do(line)
    (hour.place / 'listing.py').write_text(blocks(DOCS.parent / 'README.md')[1][1])
    hour.do('python listing.py    # the listing of the README')
    hour.work_in('people', 'Train on my own JSON')
    hour.follow(OWN)
    (hour.place / 'photos').symlink_to('data/mine/photos')
    (hour.place / 'street').symlink_to(hour.home / 'stand-ins/street')
    shutil.rmtree(hour.place / 'people.lance')
    hour.say('### Find people in my photographs')
    hour.do('mmtbps index hub.lance photos --model hf:google/siglip2-base-patch16-naflex')
    hour.follow('tutorials/find_people_in_my_photographs.md', first=1)
    hour.say('### Add a method')
    hour.follow('tutorials/add_a_method.md')
    hour.work_in('few', 'Reproduce the paper')
    hour.follow('tutorials/reproduce_the_paper.md')
    hour.work_in('notebooks', 'The notebooks')
    hour.do('pip install --quiet nbconvert ipykernel')
    for name in ('search_a_folder', 'train_your_own'):
        shutil.copy(DOCS / f'tutorials/{name}.ipynb', hour.place)
        hour.do(f'jupyter nbconvert --to notebook --execute --output done_{name} {name}.ipynb')


def main(wheel: Path) -> None:
    """Spend the hour, and write its log into the page."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's "&" leaves it ignored
    home = Path(tempfile.mkdtemp(prefix='hour-'))
    begun, hour = time.monotonic(), Hour(home, wheel.resolve())
    install(hour)
    prepare(hour)
    spend(hour)
    minutes = (time.monotonic() - begun) / 60
    summary = (f'{date.today()}, {os.cpu_count()} cores of {os.uname().machine}, '
               f'Python {sys.version.split()[0]}, {wheel.name}: {minutes:.0f} minutes in all. `~` '
               'is an empty folder, below which each task has one of its own.')
    page = PAGE.read_text('utf-8').partition(HEADING)[0]
    PAGE.write_text(page + HEADING + '\n' + '\n\n'.join([summary, *hour.log]) + '\n', 'utf-8')
    shutil.rmtree(home)
    if hour.faults:
        sys.exit('\n'.join(['ended otherwise than they should:', *hour.faults]))


if __name__ == '__main__':
    main(Path(sys.argv[1]))
