"""Colours and spaces of the page, and the scripts of its cards and of the person up close."""

from typing import Any

__all__ = ['CLOSE_UP', 'CSS', 'DROP', 'PICK', 'make_theme']

#: A click on anything with ``data-pick`` inside an HTML part is an event with its value.
PICK = """
element.addEventListener('click', (event) => {
  const picked = event.target.closest('[data-pick]');
  if (!picked) return;
  element.querySelectorAll('[aria-pressed]').forEach((one) => {
    one.setAttribute('aria-pressed', one === picked);
  });
  trigger('click', {pick: picked.dataset.pick});
});
"""

#: A card opens the person up close: beside the grid, or over it on a phone, held upright or not.
#: Escape, the cross and there the way back close it again; the focus returns to the card.
CLOSE_UP = """
const narrow = matchMedia('(max-width: 760px), (max-height: 500px)');
const place = document.querySelector('#close-up');
const others = '#masthead, #asking, #filters, #by-picture, #add, #history, #people, footer, '
  + '[role=tablist]';
let card = null, noted = false;
const isOpen = () => place.classList.contains('open');
const arrange = (open) => {
  place.classList.toggle('open', open);
  document.body.style.overflow = open && narrow.matches ? 'hidden' : '';
  document.querySelectorAll(others).forEach((one) => { one.inert = open && narrow.matches; });
  place.toggleAttribute('aria-modal', open && narrow.matches);
  narrow.matches ? place.setAttribute('role', 'dialog') : place.removeAttribute('role');
  place.setAttribute('aria-label', 'Person up close');
};
const hide = () => {
  if (!isOpen()) return;
  arrange(false);
  card?.focus();
};
const close = () => {
  if (noted) history.back();
  else hide();
};
document.addEventListener('click', (event) => {
  const picked = event.target.closest('#people [data-pick]');
  if (picked) {
    card = picked;
    element.classList.add('waiting');
    if (narrow.matches && !noted) {
      history.pushState({closeUp: true}, '');
      noted = true;
    }
    arrange(true);
    place.scrollTop = 0;
  } else if (event.target.closest('#person .close, #more, #right, #wrong')) close();
});
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && isOpen()) close();
});
window.addEventListener('popstate', () => { noted = false; hide(); });
narrow.addEventListener('change', () => arrange(isOpen()));
new MutationObserver(() => {
  element.classList.remove('waiting');
  if (isOpen() && narrow.matches && !place.contains(document.activeElement))
    element.querySelector('.close')?.focus();
}).observe(element, {childList: true, subtree: true});
"""

#: A picture that is dropped or chosen is shrunk by the browser and sent with the event, so that no
#: file is stored and nothing but pixels is sent.
DROP = """
const send = async (file) => {
  if (!file) return;
  try {
    const bitmap = await createImageBitmap(file);
    const scale = Math.min(1, 512 / bitmap.width, 1024 / bitmap.height);
    const canvas = document.createElement('canvas');
    canvas.width = Math.max(1, Math.round(bitmap.width * scale));
    canvas.height = Math.max(1, Math.round(bitmap.height * scale));
    const pen = canvas.getContext('2d');
    pen.fillStyle = 'white';
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    let quality = .92, picture;
    do {
      picture = canvas.toDataURL('image/jpeg', quality);
      quality -= .15;
    } while (picture.length > 200000 && quality > 0);
    trigger('click', {picture});
  } catch { trigger('click', {picture: 'none'}); }
};
element.addEventListener('change', (event) => {
  if (event.target.type !== 'file') return;
  send(event.target.files[0]);
  event.target.value = '';
});
element.addEventListener('dragover', (event) => event.preventDefault());
element.addEventListener('drop', (event) => {
  event.preventDefault();
  send(event.dataTransfer.files[0]);
});
element.addEventListener('click', (event) => {
  if (event.target.closest('.remove')) trigger('click', {picture: ''});
});
"""

CSS = """
.gradio-container { width: 100% !important; max-width: 1320px !important;
  margin: 0 auto !important; overflow: clip !important; } /* hidden would let nothing be sticky */
.gradio-container h1, .gradio-container h2 { letter-spacing: -.01em; font-weight: 600;
  color: var(--body-text-color); }
#masthead .html-container, #history .html-container, #people .html-container,
#person .html-container, #alarms .html-container, #rules .html-container, #trial .html-container,
#rule-said .html-container { padding: 0; }
.gradio-container button[role=tab][aria-selected=true] { color: var(--body-text-color); }
#masthead h1 { font-size: 1.5rem; margin: 0; }
#masthead p { margin: 2px 0 0; color: var(--body-text-color-subdued); font-size: .9rem; }
#ask { border-width: 0 !important; background: none; box-shadow: none; }
#ask textarea { font-size: 1.1rem; padding: 12px 16px;
  background: var(--background-fill-primary); border: 1px solid var(--border-color-primary);
  border-radius: var(--radius-lg); }
#ask textarea:focus { border-color: var(--color-accent); }
#go { align-self: stretch; }
.people header span, .person .quiet, .person dt, .history span, .welcome p, .card .caption,
.card .line i, .lost { color: var(--body-text-color-subdued); }

.people header { display: flex; align-items: baseline; gap: 12px; flex-wrap: wrap;
  margin: 0 0 14px; }
.people h2, .person h2 { font-size: 1.05rem !important; margin: 0 !important;
  overflow-wrap: anywhere; }
.people header span { font-size: .85rem; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(112px, 29%), 1fr));
  gap: 18px 14px; }
.card { all: unset; box-sizing: border-box; cursor: pointer; display: block; min-width: 0; }
.frame { display: flex; align-items: center; justify-content: center; overflow: hidden;
  aspect-ratio: 1 / 2.6; border-radius: 10px; background: var(--background-fill-secondary);
  box-shadow: 0 0 0 1px var(--border-color-primary);
  transition: box-shadow .12s ease, transform .12s ease; }
.frame img { width: 100%; height: 100%; object-fit: contain; display: block; margin: 0; }
.card:hover .frame { transform: translateY(-2px);
  box-shadow: 0 0 0 1px var(--border-color-primary), 0 6px 16px rgb(0 0 0 / .16); }
.card:focus-visible .frame, .card[aria-pressed=true] .frame
  { box-shadow: 0 0 0 2px var(--body-background-fill), 0 0 0 5px var(--color-accent); }
.card .line { display: flex; justify-content: space-between; align-items: baseline;
  margin: 8px 2px 0; font-variant-numeric: tabular-nums; }
.card .line b { font-weight: 600; color: var(--body-text-color); }
.card .line i { font-style: normal; font-size: .85rem; }
.card .marks { display: block; margin: 0 2px; font-size: .75rem; line-height: 1.35; }
.card .mark { display: block; overflow: hidden; text-overflow: ellipsis; white-space: nowrap;
  color: var(--body-text-color-subdued); }
.card .mark.yes { color: var(--body-text-color); font-weight: 600; }
.card .mark.no { text-decoration: line-through; }
.card .caption { display: block; margin: 0 2px; font-size: .75rem; line-height: 1.35;
  white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.lost { font-size: .78rem; padding: 8px; text-align: center; }

#close-up { display: none; }
#close-up.open { display: flex; position: sticky; top: 12px; align-self: flex-start;
  max-height: calc(100vh - 24px); flex-wrap: nowrap; overflow-y: auto; }
#person.waiting { opacity: .3; }
.person header { display: flex; justify-content: space-between; align-items: start; gap: 12px; }
.person .close { all: unset; box-sizing: border-box; cursor: pointer; flex: none; width: 44px;
  height: 44px; margin: -10px -8px 0 0; border-radius: 999px; text-align: center;
  font-size: 1.6rem; line-height: 44px; color: var(--body-text-color); }
.person .close:hover { background: var(--background-fill-secondary); }
.person .close:focus-visible { box-shadow: inset 0 0 0 3px var(--color-accent); }
.person .alone { width: 52%; margin: 14px 0; }
.person .heat { width: 100%; max-width: 440px; margin: 14px 0; border-radius: 12px;
  box-shadow: 0 0 0 1px var(--border-color-primary); }
.person .quiet { font-size: .85rem; margin: 0 0 12px; }
.person dl { display: grid; grid-template-columns: auto 1fr; gap: 3px 16px; margin: 0 0 4px;
  font-size: .85rem; }
.person dd { margin: 0; overflow-wrap: anywhere; }

.history { display: flex; gap: 8px; align-items: center; flex-wrap: wrap; font-size: .85rem; }
.history button { all: unset; box-sizing: border-box; cursor: pointer; max-width: 280px;
  padding: 3px 12px; border-radius: 999px; white-space: nowrap; overflow: hidden;
  text-overflow: ellipsis; background: var(--background-fill-primary);
  color: var(--body-text-color); box-shadow: inset 0 0 0 1px var(--border-color-primary); }
.history button:hover { box-shadow: inset 0 0 0 1px var(--color-accent); }
.history button:focus-visible { box-shadow: inset 0 0 0 2px var(--color-accent); }

.notice { margin: 0; padding: 12px 16px; border-radius: 10px; border-left: 3px solid #d97706;
  background: var(--background-fill-primary); color: var(--body-text-color);
  overflow-wrap: anywhere; }
.welcome { text-align: center; padding: 72px 20px; }
.welcome h2 { font-size: 1.15rem; margin: 0 0 6px; }
.welcome p { max-width: 46ch; margin: 0 auto; line-height: 1.5; }

.drop { display: flex; gap: 16px; align-items: center; flex-wrap: wrap; padding: 14px;
  border: 1px dashed var(--body-text-color-subdued); border-radius: 10px; }
.drop label { flex: 1 1 180px; min-width: 0; max-width: 100%; font-size: .9rem;
  color: var(--body-text-color); }
.drop label span { display: block; margin-bottom: 8px; }
.drop input { width: 100%; }
.drop img { max-height: 130px; max-width: 130px; margin: 0; border-radius: 8px; }
.drop .remove { cursor: pointer; padding: 8px 14px; border-radius: 8px;
  background: var(--background-fill-secondary); color: var(--body-text-color); }

.alarms header, .rules header { display: flex; align-items: baseline; gap: 12px; flex-wrap: wrap;
  margin: 0 0 12px; }
.alarms h2, .rules h2, #rule-title h2 { font-size: 1.05rem !important; margin: 0 !important; }
.alarms h3, .rules h3 { font-size: .95rem !important; font-weight: 600; margin: 0 !important;
  overflow-wrap: anywhere; color: var(--body-text-color); }
.alarms header span, .rules header span, .alarm .sentence, .rules .sentence, .alarm dt, .rules dt,
.alarm .mark, .alarm .marked { color: var(--body-text-color-subdued); font-size: .85rem; }
.alarm-grid { display: grid; gap: 14px;
  grid-template-columns: repeat(auto-fill, minmax(min(290px, 100%), 1fr)); }
.alarm { display: grid; grid-template-columns: 84px 1fr; gap: 14px; align-items: start;
  min-width: 0; padding: 10px; border-radius: 10px; background: var(--background-fill-primary);
  box-shadow: 0 0 0 1px var(--border-color-primary); }
.alarm.false .frame { opacity: .45; }
.alarm .said, .rules li { min-width: 0; }
.alarm .sentence, .rules .sentence { margin: 2px 0 6px; overflow-wrap: anywhere; }
.alarm .marks { display: flex; flex-wrap: wrap; gap: 2px 10px; margin: 0 0 6px; }
.alarm .mark.yes { color: var(--body-text-color); font-weight: 600; }
.alarm .mark.no { text-decoration: line-through; }
.alarm dl, .rules dl { display: grid; grid-template-columns: auto 1fr; gap: 2px 12px; margin: 0;
  font-size: .85rem; }
.alarm dd, .rules dd { margin: 0; min-width: 0; overflow-wrap: anywhere;
  color: var(--body-text-color); }
.rules ul { list-style: none; margin: 0; padding: 0; display: grid; gap: 10px; }
.rules li { padding: 10px 12px; border-radius: 10px; background: var(--background-fill-primary);
  box-shadow: 0 0 0 1px var(--border-color-primary); }
.judge { display: flex; flex-wrap: wrap; gap: 8px; margin-top: 8px; }
.judge button { all: unset; box-sizing: border-box; cursor: pointer; min-height: 44px;
  padding: 10px 14px; border-radius: 8px; font-size: .85rem; line-height: 24px;
  background: var(--background-fill-secondary); color: var(--body-text-color);
  box-shadow: inset 0 0 0 1px var(--border-color-primary); }
.judge button[aria-pressed=true] { box-shadow: inset 0 0 0 2px var(--color-accent);
  font-weight: 600; }
.judge button:focus-visible { box-shadow: inset 0 0 0 3px var(--color-accent); }
#rule-title { padding: 12px 12px 0; }

@media (max-width: 760px), (max-height: 500px) {
  #close-up.open { position: fixed; inset: 0; z-index: 1000; align-self: stretch; max-height: none;
    padding: 20px; background: var(--body-background-fill); }
  .welcome { padding: 36px 12px; }
}
"""


def make_theme() -> Any:
    """Make Gradio's plain theme in slate and teal, in fonts that the visitor already has."""
    from gradio import themes
    fonts = ['system-ui', '-apple-system', 'Segoe UI', 'Roboto', 'sans-serif']
    return themes.Base(
        primary_hue='teal', secondary_hue='slate', neutral_hue='slate', radius_size='lg',
        font=[themes.Font(name) for name in fonts],
        font_mono=[themes.Font('ui-monospace'), themes.Font('monospace')],
    ).set(
        button_primary_background_fill='*primary_700',
        button_primary_background_fill_hover='*primary_800',
        button_primary_background_fill_dark='*primary_700',
        button_primary_background_fill_hover_dark='*primary_800',
        button_primary_text_color='white', button_primary_text_color_dark='white',
        body_text_color_subdued='*neutral_600', body_text_color_subdued_dark='*neutral_300',
        input_placeholder_color='*neutral_500', input_placeholder_color_dark='*neutral_400',
        body_background_fill='*neutral_50', body_background_fill_dark='*neutral_950')
