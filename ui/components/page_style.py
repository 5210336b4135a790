"""The page's own frame: two columns that scroll by themselves, and Streamlit's furniture made small."""

import streamlit as st

from ui.look import FONT, TOKENS

# Streamlit 1.67's test ids are what its own end-to-end tests hold on to; `st-key-*` are the keys given in ui/.
_STYLE = f"""
.stApp {{ {TOKENS} }}
.stApp, .stApp button, .stApp textarea {{ font-family: {FONT}; }}
.stApp :lang(zh) {{ line-height: 1.6; }}
"""

_FRAME = """
[data-testid="stHeader"] { height: 2.75rem; min-height: 2.75rem; background: transparent; pointer-events: none; }
[data-testid="stHeader"] button { pointer-events: auto; }
[data-testid="stStatusWidget"], [data-testid="stToolbarActions"], [data-testid="stMainMenu"],
[data-testid="stAppDeployButton"] { display: none; }
[data-testid="stMainBlockContainer"] { padding: .3rem 1.1rem 0; max-width: none; }
[data-testid="stSidebarContent"] { background: var(--ad-panel); padding: 0; }
[data-testid="stSidebarHeader"] { height: 2.25rem; min-height: 2.25rem; padding: .25rem .5rem; margin: 0; }
[data-testid="stSidebarUserContent"] { padding: 0 .75rem 1rem !important; }
[data-testid="stSidebarUserContent"] .stVerticalBlock { gap: .6rem; }
/* what is drawn again stays as it is until the new picture is there */
.stElementContainer[data-stale="true"], [data-stale="true"] { opacity: 1 !important; transition: none !important; }
kbd { font-family: inherit !important; }
[data-testid^="stBaseButton"]:not(:disabled) kbd { color: var(--ad-quiet) !important; opacity: 1; }
[data-testid^="stBaseButton-primary"]:not(:disabled) kbd { color: var(--ad-page) !important; }
.stApp [data-testid="stCaptionContainer"], .stApp [data-testid="stCaptionContainer"] p {
  color: var(--ad-quiet); opacity: 1; }
.stApp [data-tag], .stApp [data-tag] * { color: var(--ad-page); }
.st-key-page { gap: .4rem; }
.st-key-head { border-bottom: 1px solid var(--ad-line); padding-bottom: .15rem; }
.st-key-head [data-testid="stHorizontalBlock"] { align-items: center; }
.st-key-language, .st-key-think { width: fit-content; }
.st-key-language button, .st-key-think button { min-height: 1.75rem; padding: 0 .6rem; font-size: .8125rem; }
.st-key-page h2 { font-size: 1.3rem; padding: .4rem 0 .2rem; }
.st-key-page h3 { font-size: 1.05rem; padding: .2rem 0 .7rem; }
.st-key-about [data-testid="stText"] { font-size: .875rem; color: var(--ad-quiet); white-space: normal; }
.st-key-writing_done [data-testid="stText"] { font-size: .8125rem; color: var(--ad-quiet); white-space: normal; }
.st-key-writing_refused, .st-key-attachment_failed {
  border-left: 3px solid var(--ad-warn); background: var(--ad-warn-soft); border-radius: 6px;
  padding: .45rem .7rem; }
.st-key-writing_refused [data-testid="stText"], .st-key-attachment_failed [data-testid="stText"] {
  white-space: normal; overflow-wrap: anywhere; }
.st-key-writings [data-testid="stBaseButton-secondary"], .st-key-attachment [data-testid="stBaseButton-secondary"] {
  min-height: 1.75rem; padding: 0 .6rem; }
.st-key-writings p, .st-key-attachment p { margin: 0; }
.st-key-figures [data-testid="stMetric"] { padding: .45rem .7rem; }
.st-key-figures [data-testid="stMetricValue"] { font-size: 1.35rem; }
.st-key-user button { min-height: 1.75rem; padding: 0 .6rem; font-size: .8125rem; }
.st-key-scope { width: 11rem; }
.st-key-scope [data-baseweb="select"] > div { min-height: 1.75rem; font-size: .8125rem; }
.st-key-scope [data-baseweb="select"] > div > div { padding-top: 0; padding-bottom: 0; }
.st-key-think [data-testid="stButtonGroup"] { display: flex; align-items: center; gap: .5rem; }
.st-key-think label { margin: 0; min-height: 0; }
.st-key-ask_row [data-testid="stMarkdownContainer"] { margin: 0; }
.st-key-question textarea { font-size: 1rem; line-height: 1.5; }
.st-key-question [data-testid="stChatInput"] > div { padding: .35rem .7rem; background: var(--ad-page); }
.st-key-question [data-testid="stChatInput"] { border-color: var(--ad-border); }
.st-key-question [data-testid="stChatInput"]:focus-within { border-color: var(--ad-accent); }
/* an empty box is one line high; Streamlit 1.67 sometimes leaves it as tall as the text that was sent */
.st-key-question [data-testid="stChatInput"] > div > div:has(textarea:placeholder-shown) { flex-direction: row;
  align-items: center; }
.st-key-question [data-testid="stChatInput"] > div > div:has(textarea:placeholder-shown) > div:first-child { flex: 1; }
.st-key-question [data-testid="stChatInput"] > div > div:has(textarea:placeholder-shown) > div:last-child {
  width: auto; }
.st-key-question textarea:placeholder-shown { height: 2.1rem !important; overflow: hidden; }
.st-key-ask { gap: .3rem; background: var(--ad-page); padding: .1rem 0 .4rem; }
.st-key-ask_row { min-height: 2rem; }
.st-key-ask_row p { font-size: .8125rem; font-weight: 600; color: var(--ad-quiet); margin: 0; }
.st-key-ask_row [data-testid="stBaseButton-secondary"] { min-height: 1.9rem; padding: .1rem .7rem; }
.st-key-ask_row [data-testid="stBaseButton-secondary"] p { color: inherit; font-size: .875rem; font-weight: 400; }
.stApp .st-key-feed { position: absolute; left: 0; width: 1px; height: 1px; overflow: hidden; }
.st-key-left, .st-key-right { gap: .5rem; }
[data-testid="InputInstructions"] { display: none; }
[data-testid="stBaseButton-primary"]:not(:disabled), [data-testid="stBaseButton-primaryFormSubmit"]:not(:disabled) {
  color: var(--ad-page); }
.st-key-desk h2 { font-size: .9375rem; font-weight: 700; padding: .15rem 0; margin: 0; line-height: 1.5; }
.st-key-desk [data-testid="stHeading"] { min-height: 1.8rem; }
.st-key-desk [data-testid="stAlertContainer"] { padding: .5rem .8rem; }
.st-key-desk [data-testid="stAlertContainer"] p { font-size: .9rem; }
.st-key-kb_top, .st-key-q_top, .st-key-m_top { padding-top: .1rem; }
.st-key-kb_counts { gap: .15rem .6rem; }
.st-key-kb_counts .stElementContainer { min-height: 0; }
.st-key-kb_filter { gap: .6rem; }
.st-key-desk [data-testid="stWidgetLabel"] { min-height: 1.25rem; }
.st-key-desk [data-testid="stWidgetLabel"] p { font-size: .8125rem; font-weight: 600; color: var(--ad-quiet); }
@media (min-width: 901px) {
  .st-key-left, .st-key-right { flex: none; height: calc(100dvh - 3.3rem); overflow-y: auto;
    overscroll-behavior: contain;
    scrollbar-width: thin; }
  .st-key-page:has(.st-key-kb_top, .st-key-q_top, .st-key-m_top) :is(.st-key-left, .st-key-right) {
    height: calc(100dvh - 6.1rem); }
  .st-key-left { padding: 0 .9rem 1rem .1rem; }
  .st-key-right { padding: 0 .2rem 1rem .9rem; border-left: 1px solid var(--ad-line); }
  [data-testid="stLayoutWrapper"]:has(> .st-key-ask) { position: sticky; top: 0; z-index: 3; }
}
@media (max-width: 900px) {
  .st-key-desk [data-testid="stHorizontalBlock"]:has(.st-key-right) { flex-direction: column; }
  .st-key-desk [data-testid="stColumn"]:has(.st-key-left), .st-key-desk [data-testid="stColumn"]:has(.st-key-right) {
    width: 100%; flex: 1 1 auto; min-width: 0; }
  [data-testid="stMainBlockContainer"] { padding: .3rem .8rem 2rem; }
  .st-key-head { padding-left: 2.4rem; }
  [data-testid="stExpandSidebarButton"] { background: var(--ad-page); border-radius: 6px; }
}
"""


PAGE_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><rect width="24" height="24" rx="5" fill="#0B5CAD"/>'
    '<path d="M5 7h14v8H11l-4 3v-3H5z" fill="#fff"/></svg>'
)
"""The tab's icon, drawn here: Streamlit's own symbols would be fetched from another machine."""


def apply_page_style() -> None:
    """Put the page's style sheet in place.  It holds nothing but the words above."""
    st.html(f"<style>{_STYLE}{_FRAME}</style>")
