"""What surrounds every page: the head line, and what Streamlit does not do for a page that must speak two languages.

It sets the language of the document, speaks to screen readers, offers the skip link, listens for the keys, tells when
the connection is lost, and puts Streamlit's own few English words into Chinese.
"""

from collections.abc import Callable, Mapping
from functools import cache

import streamlit as st

from rag.schema import Language
from rag.translate import translate
from ui.components.shell_script import FORGET_SCRIPT, SHELL_SCRIPT
from ui.formats import visible
from ui.look import PART_STYLE
from ui.turn_data import Data

STREAMLIT_WORDS: Mapping[str, str] = {
    # Streamlit 1.67's own words that can show on these pages
    "Send message": "提问",
    "Upload a file": "上传文件",
    "Upload or drag and drop a file (BMP, EML, GIF, JPG, MSG, PNG, TIF, TXT, WEBP)": "上传文件，或将文件拖到此处"
    "（BMP、EML、GIF、JPG、MSG、PNG、TIF、TXT、WEBP）",
    "Only one file is allowed.": "只能上传一个文件。",
    "File must be #.0MB or smaller.": "文件不能超过 # MB。",
    "Click to retry upload": "点击重试上传",
    "Error: ": "错误：",
    "Skip to main content": "跳到主要内容",
    "Sidebar": "侧栏",
    "Shortcut Alt + N": "快捷键 Alt + N",
    "Shortcut Alt + S": "快捷键 Alt + S",
    "Shortcut Alt + G": "快捷键 Alt + G",
    "Shortcut Alt + U": "快捷键 Alt + U",
    "Shortcut Alt + B": "快捷键 Alt + B",
    "Shortcut Alt + K": "快捷键 Alt + K",
    "Press Enter to submit form": "按 Enter 提交",
    "Press Ctrl+Enter to submit form": "按 Ctrl+Enter 提交",
    "Stop response": "停止",
    "Clear input": "清空输入",
    "Collapse sidebar": "收起侧栏",
    "Expand sidebar": "展开侧栏",
    "Close sidebar": "收起侧栏",
    "Open sidebar": "展开侧栏",
    "Close": "关闭",
    "Dismiss": "关闭",
    "Copy to clipboard": "复制",
    "Running...": "运行中",
    "Stop": "停止",
    "Connecting": "正在连接",
    "Connection error": "连接错误",
    "Connection timeout": "连接超时",
    "Rerun": "重新运行",
    "App pages": "页面",
    "Choose an option": "请选择",
    "Open": "展开",
    "Selected values": "已选项",
    "Clear all": "全部清除",
    "Clear value": "清除",
    "Show password": "显示密码",
    "Hide password": "隐藏密码",
    # "#" is any number
    "Vega visualization": "图表",
    "Show data": "显示数据",
    "Download as PNG": "下载图片",
    "Copy Vega-Lite spec": "复制图表定义",
    "Fullscreen": "全屏",
    "Close fullscreen": "退出全屏",
    "# option available.": "共 # 个选项。",
    "# options available.": "共 # 个选项。",
    # of this only the end: what stands before it is a kind of file
    " files are not allowed.": "不支持该类型的文件。",
    # of these only the beginning: what follows is the name of something
    "Remove ": "移除 ",
    "Help for ": "说明：",
    "Show data: ": "显示数据： ",
    "Download as PNG: ": "下载图片： ",
    "Copy Vega-Lite spec: ": "复制图表定义： ",
    "Fullscreen: ": "全屏： ",
    "Retry": "重试",
    "No results": "没有结果",
    "Upload": "上传",
    "file upload": "上传文件",
    "Clear entry": "清空",
    "Drag and drop files here": "将文件拖到此处",
    "50MB per file": "单个文件不超过 50 MB",
    "Select all": "全选",
    "Clear": "清除",
    "Choose options": "请选择",
    "Press Enter to apply": "按 Enter 应用",
    "Please wait...": "请稍候",
    "Your message": "您的消息",
}

_KEYS = (
    ("Enter", "ask"),
    ("Alt+Q", "keys_focus"),
    ("Alt+N", "new_question"),
    ("Alt+S", "stop"),
    ("Alt+G", "retry"),
    ("Alt+V", "keys_passage"),
    ("Alt+W", "keys_reply"),
    ("Alt+P", "copy"),
    ("Alt+I", "copy_with_sources"),
    ("Alt+H", "handoff_copy"),
    ("Alt+T", "keys_tone"),
    ("Alt+J", "wish_shorter"),
    ("Alt+O", "wish_longer"),
    ("Alt+X", "keys_translate"),
    ("Alt+Z", "undo_rewriting"),
    ("Alt+U", "useful"),
    ("Alt+B", "not_useful"),
    ("Alt+K", "correct"),
    ("Alt+Y", "keys_language"),
    ("Alt+L", "keys_list"),
)

_FRAME = """
<div class="part shell">
  <a class="skip" href="#"></a>
  <h1></h1>
  <span class="facts small"></span>
  <span class="stand-in small" hidden></span>
  <details class="keys small"><summary></summary><table><tbody></tbody></table></details>
  <div class="lost" hidden></div>
  <div class="heard" role="status" aria-live="polite"></div>
  <div class="heard" role="alert" aria-live="assertive"></div>
</div>
"""

_STYLE = (
    PART_STYLE
    + """
.shell { display: flex; align-items: center; gap: .2rem .9rem; min-height: 2.25rem; flex-wrap: wrap; }
h1 { font-size: 1.05rem; font-weight: 700; margin: 0; letter-spacing: .01em; }
.skip { position: absolute; left: -999px; background: var(--ad-accent); color: var(--ad-page); padding: .3rem .8rem;
  border-radius: 6px; z-index: 2; }
.skip:focus { left: .5rem; }
.facts { display: flex; flex-wrap: wrap; gap: 0 .9rem; color: var(--ad-quiet); flex: 1; min-width: 0; }
.facts span { white-space: nowrap; }
@media (max-width: 900px) { .facts { order: 1; flex-basis: 100%; } .stand-in { margin-left: auto; } }
.dot { display: inline-block; width: .5rem; height: .5rem; border-radius: 50%; margin-right: .35rem; }
.dot.good { background: var(--ad-good); }
.dot.warning { background: var(--ad-warn); }
.dot.bad { background: var(--ad-error); }
.bad { color: var(--ad-error); font-weight: 600; }
.stand-in { color: var(--ad-warn); background: var(--ad-warn-soft); border: 1px solid currentColor; border-radius: 4px;
  padding: 0 .45rem; font-weight: 600; white-space: nowrap; }
.keys { position: relative; color: var(--ad-quiet); }
.keys summary { cursor: pointer; min-height: 1.5rem; list-style: none; text-decoration: underline dotted; }
.keys table { position: absolute; right: 0; top: 1.8rem; z-index: 5; background: var(--ad-page); color: var(--ad-text);
  border: 1px solid var(--ad-border); border-radius: 8px; padding: .5rem .7rem; box-shadow: 0 6px 20px #0003;
  white-space: nowrap; border-spacing: .5rem .1rem; }
.keys td:first-child { font-weight: 600; }
.lost { position: fixed; left: 50%; top: .6rem; transform: translateX(-50%); z-index: 10; padding: .45rem 1rem;
  background: var(--ad-error); color: var(--ad-page); border-radius: 8px; font-weight: 600; }
.heard { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
"""
)


@cache
def _component() -> Callable[..., object]:
    return st.components.v2.component("answerdesk.page_shell", html=_FRAME, css=_STYLE, js=SHELL_SCRIPT)


def draw_shell(
    language: Language, *, chosen: bool, facts: list[Data], stand_in: str, focus: str, person: str = ""
) -> None:
    """Draw the head line.  ``chosen`` tells that the agent chose the language, so that the browser remembers it.

    ``person`` is who is signed in: what somebody else left in this tab is forgotten.  ``facts`` are ``{"text", "tone",
    "title"}``; a ``focus`` that differs from the last one moves the cursor to the box.
    """
    data = {
        "lang": "zh-CN" if language == "zh" else "en",
        "chosen": chosen,
        "product": translate("ui.product", language),
        "skip": translate("ui.skip", language),
        "facts": facts,
        "stand_in": stand_in,
        "focus": focus,
        "person": person,
        "keys": translate("ui.keys", language),
        "key_list": [[key, translate(f"ui.{name}", language)] for key, name in _KEYS],
        "connection_lost": translate("ui.connection_lost", language),
        "streamlit_words": [[english, chinese] for english, chinese in STREAMLIT_WORDS.items()],
    }
    _component()(key="page_shell", data=visible(data))


@cache
def _forgetting() -> Callable[..., object]:
    return st.components.v2.component("answerdesk.forget_drafts", js=FORGET_SCRIPT)


def forget_drafts() -> None:
    """Let the browser forget the drafts of whoever signed out: a text for a customer is not the next person's."""
    _forgetting()(key="forget_drafts", height=1)
