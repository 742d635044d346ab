"""The project of the toy diffusion model: it learns, goes on, and measures what it draws."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from forked_processes import run_tool
from toy_diffusion.data import (
    ToyPairs,
    balanced_weights,
    body_mentions,
    load_pairs,
    short_phrase,
)
from toy_diffusion.evaluate import main as evaluate
from toy_diffusion.measure import (
    ColorPrompt,
    color_prompts,
    color_share,
    draw_samples,
    share_of_images,
)
from toy_diffusion.training import (
    Stage,
    color_words,
    encode_images,
    reading_labels,
    run_stage,
    to_tensor,
    train_autoencoder,
    train_reader,
    train_toy,
    train_unet,
)

import mmtbps.generation
from mmtbps.errors import BadValue, MissingFile
from mmtbps.generation.color.colorspace import palette
from mmtbps.generation.diffusion.finetune import denoising_loss
from mmtbps.generation.diffusion.latent_diffusion import LatentDiffusion
from mmtbps.generation.diffusion.pipelines import load_pipeline
from mmtbps.generation.diffusion.toy import IMAGE_SIZE, build_toy, encode_text

ROOT = Path(__file__).resolve().parents[2]
RED, BLUE = (190, 30, 40), (40, 70, 170)
SHIPPED = Path(mmtbps.generation.__file__).parent / 'assets' / 'toy'


def block_people(count=12):
    """Red-over-blue and blue-over-red people, and what is said of them."""
    images = np.full((count, *IMAGE_SIZE, 3), 128, np.uint8)
    captions = []
    for i, image in enumerate(images):
        top, bottom = (RED, BLUE) if i % 2 else (BLUE, RED)
        image[12:28, 7:17], image[30:58, 7:17] = top, bottom
        first, second = ('red', 'blue') if i % 2 else ('blue', 'red')
        captions.append((f'A man in a {first} shirt and {second} jeans, number {i}.',
                         f'His shirt is {first}.'))
    return ToyPairs(images, captions)


@pytest.fixture(scope='module')
def pairs():
    return block_people()


@pytest.fixture
def toy(pairs):
    return build_toy([text for texts in pairs.captions for text in texts], seed=0)


def test_it_learns_to_read(toy, pairs, tmp_path):
    words = color_words([text for texts in pairs.captions for text in texts])
    assert list(words) == ['blue', 'red']
    text = 'A man in a red shirt and blue jeans, number 1.'
    offsets = toy.tokenizer(text, return_offsets_mapping=True)['offset_mapping']
    region, color = reading_labels(text, offsets, words)
    assert region.tolist() == [0, 0, 0, 0, 0, 1, 1, 0, 2, 2, 0, 0, 0, 0, 0]
    assert color.argmax(1)[[5, 6, 8, 9]].tolist() == [1, 1, 0, 0] and color.sum() == 4
    train_reader(toy, pairs, Stage('read', 100, 5e-3, 16), tmp_path, seed=0)
    assert losses(tmp_path / 'read.pt', toy, pairs) < .1


def losses(path, toy, pairs):
    """Share of words of the colour phrases whose region the trained reader tells wrong."""
    state = torch.load(path, weights_only=True)['averaged']
    words = color_words([text for texts in pairs.captions for text in texts])
    wrong = []
    for texts in pairs.captions:
        batch = toy.tokenizer(texts[0], padding='max_length', return_offsets_mapping=True)
        region, _ = reading_labels(texts[0], batch['offset_mapping'], words)
        hidden = toy.text_encoder(torch.tensor([batch['input_ids']]))[0][0]
        told = (hidden @ state['region.weight'].T + state['region.bias']).argmax(1).numpy()
        wrong.append(np.mean(told[region > 0] != region[region > 0]))
    return np.mean(wrong)


def test_it_learns_to_see_and_to_draw(toy, pairs, tmp_path):
    def blur():
        with torch.no_grad():
            code = toy.vae.encode(to_tensor(pairs.images)).latent_dist.mode()
            return (toy.vae.decode(code).sample - to_tensor(pairs.images)).square().mean().item()

    def noise_error():
        clean, level = encode_images(toy.vae, pairs.images), toy.scheduler.alphas_cumprod[500]
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            context = encode_text(toy, [texts[0] for texts in pairs.captions])
            noisy = level.sqrt() * clean + (1 - level).sqrt() * noise
            told = toy.unet(noisy, 500, encoder_hidden_states=context).sample
        return denoising_loss(told, noise, level.repeat(len(clean))).item()

    before = blur()
    train_autoencoder(toy, pairs, Stage('see', 25, 5e-3, 12), tmp_path, seed=0)
    assert blur() < .5 * before
    assert encode_images(toy.vae, pairs.images).std().item() == pytest.approx(1, abs=.01)
    before = noise_error()
    train_unet(toy, pairs, Stage('draw', 15, 3e-3, 12), tmp_path, seed=0)
    assert noise_error() < .9 * before


def test_a_stopped_training_goes_on_as_if_it_had_not_been(tmp_path):
    target = torch.arange(6.).view(2, 3)

    def fit(folder, steps_at_once):
        torch.manual_seed(0)
        module = torch.nn.Linear(3, 2)

        def loss(rng, generator):
            if len(calls) >= steps_at_once:
                raise KeyboardInterrupt
            calls.append(0)
            x = torch.randn(4, 3, generator=generator) * rng.uniform()
            return (module(x) - x @ target.T).square().mean()
        calls = []
        folder.mkdir(exist_ok=True)
        return run_stage(Stage('fit', 20, .1, 4, average=.9), module, loss, folder, 0, save_every=5)

    whole = fit(tmp_path / 'whole', 99)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            fit(tmp_path / 'parts', 8)
    assert fit(tmp_path / 'parts', 99).weight.equal(whole.weight)


def test_the_whole_recipe_runs_and_resumes(micro_set, tmp_path):
    arguments = dict(data_root=micro_set, work_dir=tmp_path / 'work', read_steps=2, see_steps=2,
                     draw_steps=2, batch=4, limit=8)
    first = train_toy(out_dir=tmp_path / 'first', **arguments)
    second = train_toy(out_dir=tmp_path / 'second', **arguments)
    sums = [json.loads((folder / 'recipe.json').read_text()) for folder in (first, second)]
    assert sums[0] == sums[1] and sums[0]['recipe']['draw_steps'] == 2


@pytest.mark.parametrize('step, rate', [(0, .01), (49, .5), (99, 1), (500, 1), (900, .5),
                                        (999, 1 / 200)])
def test_the_rate_warms_up_stays_and_falls(step, rate):
    assert Stage('x', 1000, 1., 1).rate_at(step) == pytest.approx(rate)


def test_rare_colors_are_drawn_more_often():
    texts = [('A man in a red shirt.',)] * 8 + [('A man in a pink shirt.',)] + [('A man.',)]
    weights = balanced_weights(texts, power=1.)
    assert weights.sum() == pytest.approx(1)
    assert weights[8] == pytest.approx(8 * weights[0]) == pytest.approx(weights[:8].sum())
    assert weights[9] == pytest.approx(weights[:9].mean())


def test_short_phrases_are_cut_out_of_captions():
    caption = 'She wears an orange top with black jeans, a red dress and white socks.'
    rng = np.random.default_rng(0)
    seen = {short_phrase((caption,), rng) for _ in range(60)}
    assert {'an orange top', 'black jeans', 'an orange top and black jeans'} <= seen
    assert 'a red dress' in seen and not any('socks' in phrase for phrase in seen)
    assert short_phrase(('Just a man.',), rng) == 'Just a man.'


def test_prompts_name_every_color_for_both_garments():
    prompts = color_prompts(['A man in an olive shirt and blue jeans.', 'A man.'], 24)
    for region in ('upper', 'lower'):
        assert sorted(p.colors[region] for p in prompts) == sorted(2 * palette()[0])
    for prompt in prompts:
        named = {m.region: m.bases[0] for m in body_mentions(prompt.text)}
        assert named == prompt.colors
    assert 'an orange shirt' in next(p.text for p in prompts if p.colors['upper'] == 'orange')
    with pytest.raises(ValueError, match='none of 1'):
        color_prompts(['A man.'], 3)


def test_the_share_counts_garments_of_the_named_color(pairs):
    said = [dict(upper='blue', lower='red'), dict(upper='red', lower='red')]
    share = color_share(pairs.images[:2], [ColorPrompt('', colors) for colors in said])
    assert share == {'upper': 1., 'upper/blue': 1., 'upper/red': 1., 'lower': .5, 'lower/red': .5}
    assert share_of_images(pairs)['lower'] == 1.


def test_samples_depend_on_seed_and_text_alone(toy):
    toy.unet.conv_out.weight.data.mul_(50)
    model = LatentDiffusion(toy.unet, toy.vae, toy.text_encoder, toy.tokenizer, toy.scheduler)
    first, again, other = (draw_samples(model, ['a man'], IMAGE_SIZE, steps=2, seed=seed)
                           for seed in (0, 0, 1))
    assert first.shape == (1, *IMAGE_SIZE, 3)
    assert (first == again).all() and (first != other).any()


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(MissingFile, match='draw a data set'):
        load_pairs(tmp_path)
    (tmp_path / 'reid_raw.json').write_text('[]')
    with pytest.raises(BadValue, match="no image of split 'train'"):
        load_pairs(tmp_path)


def test_the_shipped_model_draws_the_colors_it_is_told():
    pipe = load_pipeline('StableDiffusionPipeline', str(SHIPPED), torch.float32,
                         safety_checker=None, requires_safety_checker=False)
    model = LatentDiffusion(pipe.unet, pipe.vae, pipe.text_encoder, pipe.tokenizer, pipe.scheduler)
    prompts = color_prompts(['A woman is wearing a red shirt and blue pants. She has black shoes.'],
                            24)
    images = draw_samples(model, [prompt.text for prompt in prompts], IMAGE_SIZE, steps=10)
    share = color_share(images, prompts)
    assert share['upper'] >= .8 and share['lower'] >= .8


def test_the_command_measures_a_model_beside_its_data(micro_set, capsys):
    evaluate(['mmtbps://generation/assets/toy', str(micro_set), '--split', 'train',
              '--samples', '12', '--steps', '10'])
    head, _, *rows = capsys.readouterr().out.splitlines()
    assert head == '| garment | 12 drawn | data set |'
    cells = [[cell.strip() for cell in row.split('|')[1:-1]] for row in rows]
    table = {name: (drawn, real) for name, drawn, real in cells}
    expected = share_of_images(load_pairs(micro_set, 'train'))
    for region in ('upper', 'lower'):
        assert {f'{region}/{color}' for color in palette()[0]} <= table.keys()
        assert float(table[region][0].removesuffix(' %')) >= 75
    assert {name: real for name, (_, real) in table.items() if real} == {
        name: f'{100 * share:.1f} %' for name, share in expected.items()}
    with pytest.raises(SystemExit):
        evaluate(['mmtbps://generation/assets/toy', str(micro_set / 'nothing')])
    assert capsys.readouterr().err.startswith('error: ')


def test_the_command_runs_from_the_root_of_the_repository(tmp_path):
    def call(*arguments):
        return run_tool(['projects/toy_diffusion/train.py', *arguments], cwd=ROOT)

    assert 'python projects/toy_diffusion/train.py data/' in call('--help').stdout
    missing = call(str(tmp_path), str(tmp_path / 'model'), '--work-dir', str(tmp_path / 'work'))
    assert missing.returncode == 1 and 'Traceback' not in missing.stderr
    assert missing.stderr.splitlines()[-1] == (
        f'error: {tmp_path}/reid_raw.json: no such file; draw a data set there first: '
        f'python tools/draw_dataset.py {shlex.quote(str(tmp_path))}')
