"""Colours and type that all parts of the page share.  Contrasts, light and dark, were computed for WCAG 2.2 AA.

``light-dark()`` follows the ``color-scheme`` that Streamlit sets for its light and dark theme.
"""

TOKENS = """
  --ad-text: light-dark(#1B1F24, #E6EAF0);
  --ad-quiet: light-dark(#57606A, #A3ADB8);
  --ad-accent: light-dark(#0B5CAD, #7AB8FF);
  --ad-accent-soft: light-dark(#E8F1FB, #1B2C40);
  --ad-mark-text: light-dark(#1B1F24, #FFE9A8);
  --ad-mark: light-dark(#FFF1C2, #4A3A00);
  --ad-error: light-dark(#B3261E, #FF8A80);
  --ad-error-soft: light-dark(#FCEEEC, #3A1D1B);
  --ad-good: light-dark(#1A6B3C, #7BD8A2);
  --ad-good-soft: light-dark(#E8F5EC, #16301F);
  --ad-warn: light-dark(#7A5200, #FFD479);
  --ad-warn-soft: light-dark(#FFF6DF, #3A2E0A);
  --ad-border: light-dark(#7A8490, #717C88);
  --ad-line: light-dark(#DDE2E8, #2A323B);
  --ad-panel: light-dark(#F6F8FA, #1A2027);
  --ad-page: light-dark(#FFFFFF, #12161B);
"""

FONT = '"Source Sans", "PingFang SC", "Microsoft YaHei", "Noto Sans SC", "Noto Sans CJK SC", sans-serif'

PART_STYLE = f"""
:host {{ {TOKENS} }}
* {{ box-sizing: border-box; }}
.part {{ color: var(--ad-text); font-family: {FONT}; font-size: 1rem; line-height: 1.5; overflow-wrap: anywhere; }}
:lang(zh) {{ line-height: 1.6; }}
p, h2, h3, ol, ul, pre {{ margin: 0; }}
button {{ font: inherit; color: inherit; cursor: pointer; }}
.label {{ font-size: .8125rem; font-weight: 600; color: var(--ad-quiet); line-height: 1.5; }}
.quiet {{ color: var(--ad-quiet); }}
.small {{ font-size: .8125rem; }}
.button {{ background: var(--ad-page); border: 1px solid var(--ad-border); border-radius: 6px; padding: .2rem .7rem;
  min-height: 1.9rem; font-size: .875rem; }}
.button:hover {{ border-color: var(--ad-accent); color: var(--ad-accent); }}
.button.first {{ background: var(--ad-accent); border-color: var(--ad-accent); color: var(--ad-page); }}
.button.first:hover {{ filter: brightness(1.08); color: var(--ad-page); }}
kbd {{ font: inherit; font-size: .75rem; opacity: .75; margin-left: .4rem; }}
:focus-visible {{ outline: 2px solid var(--ad-accent); outline-offset: 1px; border-radius: 4px; }}
[hidden] {{ display: none !important; }}
@media (prefers-reduced-motion: reduce) {{ * {{ transition: none !important; animation: none !important; }} }}
"""

SKELETON_STYLE = """
.skeleton { opacity: 0; animation: appear .01s linear .3s forwards; display: grid; gap: .5rem; padding: .3rem 0; }
.skeleton i { display: block; height: .8rem; border-radius: 4px; background: var(--ad-line); }
.skeleton i:last-child { width: 60%; }
@keyframes appear { to { opacity: 1; } }
@media (prefers-reduced-motion: reduce) { .skeleton { opacity: 1; } }
"""
