"""Language and vision-language models of transformers as writers of captions."""


import pytest
import torch
from PIL import Image
from tiny_language import SPECIAL, WORDS, save_blip, save_llama, save_llava

from mmtbps.errors import BadValue
from mmtbps.generation.rewriting import Captioner, LanguageModelRewriter, RetellRequest
from mmtbps.generation.rewriting.transformers_rewriter import tidy_answer


def asked_for(name='a', seed=1, color=(200, 0, 0), change=''):
    return RetellRequest(name, ('a man in a red coat',), Image.new('RGB', (16, 40), color), seed,
                         change=change)


@pytest.fixture(scope='module')
def llama(tmp_path_factory):
    return save_llama(tmp_path_factory.mktemp('llama'))


@pytest.fixture(scope='module')
def llava(tmp_path_factory):
    return save_llava(tmp_path_factory.mktemp('llava'))


@pytest.mark.parametrize('kind', ['llama', 'llava'])
def test_an_answer_depends_on_its_own_seed_alone(kind, request):
    folder = request.getfixturevalue(kind)
    writer = (LanguageModelRewriter if kind == 'llama' else Captioner)(
        folder, max_new_tokens=6, captions_per_image=2, device='cpu', temperature=1.)
    one, two = asked_for('a', 1), asked_for('b', 2)
    before = torch.random.get_rng_state()
    alone, together = writer.rewrite([two]), writer.rewrite([one, two])
    assert torch.equal(torch.random.get_rng_state(), before)
    assert together[1] == alone[0] and together[0] != together[1]
    words = {word for answers in together for answer in answers for word in answer.split()}
    assert words and words <= {*WORDS, *SPECIAL}


def test_a_captioner_looks_at_the_picture(llava):
    writer = Captioner(llava, max_new_tokens=8, temperature=0, device='cpu',
                       instructions=['the man wears'])
    patches = next(part for part in writer.pipeline.model.modules()
                   if isinstance(part, torch.nn.Conv2d))
    seen = []
    patches.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    for color in ((255, 0, 0), (0, 0, 255)):
        writer.rewrite([asked_for(color=color)])
    assert len(seen) == 2 and not torch.equal(*seen)
    assert writer.sees_pictures and not LanguageModelRewriter.sees_pictures


def test_a_model_without_conversation_says_what_it_sees(tmp_path):
    writer = Captioner(save_blip(tmp_path, seed=2), max_new_tokens=6, temperature=0, device='cpu')
    (red,), (blue,) = writer.rewrite([asked_for(), asked_for(color=(0, 0, 255))])
    assert red != blue and {*red.split(), *blue.split()} <= {*WORDS}
    assert writer.rewrite([asked_for('b', seed=5)]) == [[red]]
    model, processor = writer.pipeline.model, writer.pipeline.processor
    pixels = processor(images=asked_for().image, return_tensors='pt')['pixel_values']
    tokens = [1]
    for _ in range(6):  # the likeliest word again and again
        with torch.no_grad():
            patches = model.vision_model(pixels)[0]
            scores = model.text_decoder(torch.tensor([tokens]),
                                        encoder_hidden_states=patches).logits
        tokens.append(int(scores[0, -1].argmax()))
        if tokens[-1] == 2:
            break
    assert red == processor.decode(tokens, skip_special_tokens=True)


def prompts_of(writer):
    """List that grows by what the writer asks its model."""
    asked = []
    writer.__dict__['pipeline'], real = (lambda text, **kwargs: asked.append(text) or real(
        text, **kwargs)), writer.pipeline
    writer.pipeline.tokenizer = real.tokenizer
    return asked


def test_without_a_chat_template_the_text_is_continued(tmp_path):
    writer = LanguageModelRewriter(save_llama(tmp_path, template=None), max_new_tokens=4,
                                   temperature=0, device='cpu', instructions=['the {caption}'])
    asked = prompts_of(writer)
    writer.rewrite([asked_for()])
    assert asked == ['the a man in a red coat']


def test_a_change_is_asked_for_with_instructions_of_its_own(tmp_path):
    writer = LanguageModelRewriter(
        save_llama(tmp_path, template=None), max_new_tokens=1, temperature=0, device='cpu',
        instructions=['the {caption}'],
        change_instructions=['{change}: {caption}', '{caption} but {change}'])
    asked = prompts_of(writer)
    writer.rewrite([asked_for(seed=2, change='{black} shoes'), asked_for(seed=2),
                    asked_for(seed=3, change='blue jeans')])
    assert asked == ['{black} shoes: a man in a red coat', 'the a man in a red coat',
                     'a man in a red coat but blue jeans']


def test_the_instructions_for_a_change_that_come_with_it_name_both(llama):
    writer = LanguageModelRewriter(llama, max_new_tokens=1, device='cpu')
    asked = prompts_of(writer)
    writer.rewrite([asked_for(seed=seed, change='the coat is a hoodie now') for seed in (0, 1)])
    texts = [prompt[0]['content'] for prompt in asked]
    assert len(set(texts)) == 2
    assert all(text.count('the coat is a hoodie now') == text.count('a man in a red coat') == 1
               for text in texts)


def test_a_captioner_refuses_a_change_before_it_looks(llava):
    writer = Captioner(llava, max_new_tokens=1, device='cpu')
    with pytest.raises(BadValue, match='^Captioner writes no captions after a change'):
        writer.rewrite([asked_for(), asked_for(change='the coat is a hoodie now')])
    assert 'pipeline' not in vars(writer)


def test_the_digest_tells_weights_and_instructions_apart(llama, tmp_path):
    first = LanguageModelRewriter(llama, device='cpu').digest_fields
    assert first == LanguageModelRewriter(llama, device='cpu').digest_fields
    assert first != LanguageModelRewriter(llama, ['{caption}'], device='cpu').digest_fields
    # The keys of runs without a change, which go on; texts of one's own tell runs apart.
    assert list(first) == ['type', 'weights', 'instructions', 'temperature', 'captions_per_image',
                           'max_new_tokens', 'dtype']
    assert LanguageModelRewriter(
        llama, change_instructions=['{caption}{change}'], device='cpu').digest_fields == dict(
            first, change_instructions=['{caption}{change}'])
    save_llama(tmp_path)
    other = LanguageModelRewriter(str(tmp_path), device='cpu')
    assert other.digest_fields == first
    with torch.no_grad():
        next(other.pipeline.model.parameters()).add_(1)
    assert other.digest_fields['weights'] != first['weights']


def test_other_models_are_refused_by_name(llama, tmp_path):
    with pytest.raises(ValueError, match='no model for'):
        Captioner(llama, device='cpu').rewrite([asked_for()])
    with pytest.raises(FileNotFoundError, match='no/such'):
        LanguageModelRewriter('./no/such')
    (tmp_path / 'empty').mkdir()
    with pytest.raises((ValueError, FileNotFoundError), match='empty'):
        LanguageModelRewriter(str(tmp_path / 'empty'), device='cpu').rewrite([asked_for()])
    for wrong in (dict(instructions=[]), dict(instructions='ask'), dict(captions_per_image=0),
                  dict(temperature=-1), dict(max_new_tokens=0), dict(instructions=['{caption}', 3]),
                  dict(change_instructions=[]), dict(change_instructions='ask'),
                  dict(temperature=float('nan')), dict(dtype='float17'),
                  dict(captions_per_image=1.5), dict(max_new_tokens='4')):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            LanguageModelRewriter(llama, **wrong)


@pytest.mark.parametrize('texts, message', [
    (dict(instructions=['{caption}', 'of {colour}']), 'an instruction may use {caption}, got'),
    (dict(instructions=['{caption} {change}']), 'an instruction may use {caption}, got'),
    (dict(instructions=['Describe a person.']), 'an instruction must use {caption}, got'),
    (dict(change_instructions=['{caption}']),
     'an instruction for a change must use {caption} and {change}, got'),
    (dict(change_instructions=['{caption} {change} {noun}']),
     'an instruction for a change may use {caption} and {change}, got')])
def test_instructions_that_leave_something_out_are_refused(llama, texts, message):
    with pytest.raises(BadValue, match=f'^{message}'):
        LanguageModelRewriter(llama, **texts)


@pytest.mark.parametrize('answer, caption', [
    ('A man.', 'A man.'), ('  Caption: a  man\nin red.\n\nOkay?', 'a man in red.'),
    ('"A man."', 'A man.'), ('assistant: A man.', 'A man.'), ('\n\n', ''), ('', ''),
    ('Assistants: two men', 'Assistants: two men'),
    ('Sure! Here is the rewritten description: A man.', 'A man.'),
    ("Here's a caption:\n\n\"A man.\"", 'A man.'), ('Here is a man.', 'Here is a man.'),
])
def test_the_caption_is_taken_out_of_an_answer(answer, caption):
    assert tidy_answer(answer) == caption
