"""The files of ``deploy/``: commands that are read, extras that exist, lines of the guide."""

import re

import pytest
import yaml
from doc_blocks import ROOT, blocks
from project_file import PROJECT

from mmtbps.commands.main import read_words

COMPOSE = yaml.safe_load((ROOT / 'deploy/compose.yaml').read_text('utf-8'))
HAPROXY = (ROOT / 'deploy/haproxy.cfg').read_text('utf-8')


def command_of(service):
    """Words of the command of ours that a service runs."""
    text = ' '.join(COMPOSE['services'][service]['command'])
    line = re.search(r'mmtbps (.*?)(;|$)', text)[1]
    return [word.strip('"').replace('$$GALLERY', 'people.lance').replace('$$MODEL', 'hf:a/b')
            for word in line.split()]


@pytest.mark.parametrize('service, command', [
    ('page-a', 'serve'), ('page-b', 'serve'), ('indexer', 'index')])
def test_the_commands_of_the_services_are_read(service, command):
    name, *words = command_of(service)
    assert name == command
    args = read_words(name, words)
    assert str(args.images if command == 'serve' else args.source) == '/images'
    assert args.metrics is not None


def test_a_command_that_is_none_is_told(capsys):
    with pytest.raises(SystemExit):
        read_words('serve', ['people.lance', '--no-such-option'])
    assert '--no-such-option' in capsys.readouterr().err


def test_no_password_is_in_a_file():
    """It comes from the environment, and an empty one is refused by compose."""
    found = re.findall(r'PASSWORD: (.*)', (ROOT / 'deploy/compose.yaml').read_text('utf-8'))
    assert found == ['&password ${PEOPLE_PASSWORD:?choose a password}', '*password']


def test_the_image_installs_extras_that_there_are():
    extras = re.search(r'"\.\[(.*?)\]"', (ROOT / 'deploy/Containerfile').read_text('utf-8'))[1]
    # That of the database comes with its gallery.
    assert {*extras.split(',')} - {'postgres'} <= PROJECT['optional-dependencies'].keys()


def test_the_proxy_knows_the_pages_by_name_and_the_guide_shows_its_lines():
    servers = re.findall(r'^    server (\w) (\S+):(\d+) cookie (\w)$', HAPROXY, re.MULTILINE)
    assert servers == [(name, f'page-{name}', '7860', name) for name in 'ab']
    shown = next(block.code for block in blocks(ROOT / 'docs/guides/many_pages.md')
                 if block.code.startswith('backend pages'))
    assert shown.strip() in HAPROXY
