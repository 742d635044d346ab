"""Colours and spaces of the page, and the script that makes cards clickable."""

from typing import Any

__all__ = ['CSS', 'PICK', 'make_theme']

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

CSS = """
.gradio-container { width: 100% !important; max-width: 1320px !important;
  margin: 0 auto !important; }
.gradio-container h1, .gradio-container h2 { letter-spacing: -.01em; font-weight: 600;
  color: var(--body-text-color); }
#masthead .html-container, #history .html-container, #people .html-container,
#person .html-container { padding: 0; }
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
.card .caption { display: block; margin: 0 2px; font-size: .75rem; line-height: 1.35;
  white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.lost { font-size: .78rem; padding: 8px; text-align: center; }

.person .alone { width: 52%; margin: 14px 0; }
.person .heat { width: 100%; margin: 14px 0; border-radius: 12px;
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
        button_primary_background_fill_dark='*primary_600',
        button_primary_background_fill_hover_dark='*primary_500',
        button_primary_text_color='white', button_primary_text_color_dark='white',
        body_background_fill='*neutral_50', body_background_fill_dark='*neutral_950')
