"""The marks of documentation generators: what a reader of the site sees stays, the marks go."""

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.chunking import chunk_document
from ingest.loaders.markdown import markdown_text
from ingest.loaders.site_markup import plain_markdown
from rag.schema import Document
from rag.testing import HashEmbedder
from rag.text.parsed import parse_text


def read(source: str) -> str:
    return markdown_text(source)[0]


DOCUSAURUS = [
    (":::note\n\nBack up first.\n\n:::\n\nGo on.", "Back up first.\n\nGo on."),
    ("Text.\n:::info Compatibility\nSince 7.11.\n:::\nMore.", "Text.\n\nCompatibility:\n\nSince 7.11.\n\nMore."),
    (":::note[Your **title**]\nText.\n:::", "Your title:\n\nText."),
    (":::tip{icon=\"heart\"}\nText.\n:::", "Text."),
    (":::note Note\nText.\n:::", "Text."),
    (":::note On Windows 10, a screen shows a code.\n:::", "On Windows 10, a screen shows a code."),
    ("1. One.\n\n   :::note\n\n   Of one.\n\n   :::\n\n2. Two.", "1. One.\n\n   Of one.\n2. Two."),
    ("::::danger\n:::note\nInner.\n:::\nOuter.\n::::\n\nEnd.", "Inner.\n\nOuter.\n\nEnd."),
    (":::note\nNever closed.\n\nEnd.", "Never closed.\n\nEnd."),
    (
        'import Tabs from \'@theme/Tabs\';\nimport TabItem from "@theme/TabItem";\n\n<Tabs groupId="os">\n'
        '  <TabItem value="mac" label="macOS" default>\n\nPress C.\n\n```sh\nbrew\n```\n\nRestart.\n\n  </TabItem>\n'
        '  <TabItem value="win" label="Windows">Press W.</TabItem>\n</Tabs>\n\nThen sign in.',
        "- macOS:\n\n  Press C.\n\n  ```sh\n  brew\n  ```\n\n  Restart.\n- Windows:\n\n  Press W.\n\nThen sign in.",
    ),
    (
        "<Tabs\n  defaultValue=\"a\"\n  values={[\n    {label: 'Apple', value: 'a'},\n"
        "    {label: 'Pear', value: 'p'},\n  ]}>\n"
        '<TabItem value="a">Red.</TabItem>\n<TabItem value="p">Green.</TabItem>\n</Tabs>',
        "- Apple:\n\n  Red.\n- Pear:\n\n  Green.",
    ),
    ("import A from 'a'; import {B, C} from 'b';\n\nText.", "Text."),
    (":::warning[Of [CVE](a.md) 1]\nText.\n:::", "Of CVE 1:\n\nText."),
    ("- <ins style={{color: '#999'}} className=\"box\" /> grey", "- grey"),
    ("export const a = {\n  b: 1,\n\n  c: 2,\n};\n\nText.", "Text."),
    ("Text {/* hidden */}here.\n\n{/*\nhidden\n*/}\n\nEnd.", "Text here.\n\nEnd."),
]  # fmt: skip

VITEPRESS = [
    ("::: tip\nText.\n:::", "Text."),
    ("::: warning 注意\n备份。\n:::", "备份。"),
    ("::: danger STOP\nText.\n:::", "STOP:\n\nText."),
    ("::: tip {no-title}\nText.\n:::", "Text."),
    ("::: details Who may?\nAll.\n:::\n\nEnd.", "- Who may?:\n\n  All.\n\nEnd."),
    ("::: details 谁可以？\n所有人。\n:::", "- 谁可以：\n\n  所有人。"),
    (
        "::: code-group\n\n```sh [npm]\nnpm i\n```\n\n```sh [pnpm]\npnpm i\n```\n\n:::\n\nEnd.",
        "- npm:\n\n  ```sh [npm]\n  npm i\n  ```\n- pnpm:\n\n  ```sh [pnpm]\n  pnpm i\n  ```\n\nEnd.",
    ),
    ("# Size {#size}\n\n[[toc]]\n\n<<< @/snippets/a.js\n\nNew <Badge type=\"tip\" text=\"1.9\" /> here.",
     "# Size\n\nNew 1.9 here."),
    (":::: tabs\n::: tab macOS\nPress C.\n:::\n::: tab Windows\nPress W.\n:::\n::::\n\nEnd.",
     "- macOS:\n\n  Press C.\n- Windows:\n\n  Press W.\n\nEnd."),
    ("::: tabs\n@tab macOS\nPress C.\n@tab Windows\nPress W.\n:::\n\nEnd.",
     "- macOS:\n\n  Press C.\n- Windows:\n\n  Press W.\n\nEnd."),
]  # fmt: skip

MKDOCS = [
    ('!!! note "Only today"\n\n    Text.\n\n    - a\n    - b\n\nEnd.', "Only today:\n\nText.\n\n- a\n- b\n\nEnd."),
    ("!!! warning\n    Text.\nEnd.", "Text.\n\nEnd."),
    ('!!! info inline end ""\n    Text.', "Text."),
    ('??? question "Why?"\n\n    Because.\n\nEnd.', "- Why?:\n\n  Because.\n\nEnd."),
    ('???+ note "Why so"\n    Because.', "- Why so:\n\n  Because."),
    (
        '=== "Windows"\n\n    Press W.\n\n    ```sh\n    dir\n    ```\n\n=== "macOS"\n\n    Press C.\n\nEnd.',
        "- Windows:\n\n  Press W.\n\n  ```sh\n  dir\n  ```\n- macOS:\n\n  Press C.\n\nEnd.",
    ),
    (
        '1. One.\n\n    === "A"\n\n        !!! tip\n            Inner.\n\n        Text.\n\n2. Two.',
        "1. One.\n\n   - A:\n\n     Inner.\n\n     Text.\n2. Two.",
    ),
    ("/// warning | Only today\n\nText.\n\n///\n\nEnd.", "Only today:\n\nText.\n\nEnd."),
    ("/// tab | Windows\nPress W.\n///\n\n/// tip\nText.\n///", "- Windows:\n\n  Press W.\n\nText."),
    ("/// These words, and a ///", "/// These words, and a ///"),
    ("::: typer.Context", "typer.Context"),
    ("!!! wow\nText.", "!!! wow Text."),
    ("Press ++ctrl+c++ :material-check:{ .ok } [Go](a.md){ .md-button }.", "Press ctrl+c  Go.".replace("  ", " ")),
    ("    !!! note\n        is code", "```\n!!! note\n    is code\n```"),
]  # fmt: skip

MINTLIFY = [
    (
        '<Steps>\n  <Step title="Install">\n    Run it.\n\n    <Note>Node 20.</Note>\n  </Step>\n'
        '  <Step title="Sign in.">\n'
        "    Press it.\n  </Step>\n</Steps>\n\nEnd.",
        "1. Install:\n\n   Run it.\n\n   Node 20.\n2. Sign in:\n\n   Press it.\n\nEnd.",
    ),
    ('<AccordionGroup>\n<Accordion title="Can I?">Yes.</Accordion>\n</AccordionGroup>', "- Can I?:\n\n  Yes."),
    ('<Card title="Start" icon="x" href="/a">\n  In minutes.\n</Card>', "- Start:\n\n  In minutes."),
    ('<Card title="Start" href="/a" />\n\nEnd.', "- Start\n\nEnd."),
    ('<ResponseField name="id" type="string" required>\n  The name.\n</ResponseField>',
     "- id (string, required):\n\n  The name."),
    ('<Frame caption="The page">\n  <img src="a.png" style={{ width: "2px" }} />\n</Frame>', "The page:"),
    ("<CodeGroup>\n```bash npm\nnpm i\n```\n```bash yarn\nyarn\n```\n</CodeGroup>",
     "- npm:\n\n  ```bash npm\n  npm i\n  ```\n- yarn:\n\n  ```bash yarn\n  yarn\n  ```"),
    ('<Visibility for="agents">\nFor machines.\n</Visibility>\n\nEnd.', "End."),
    ("<Warning>\n  Starts here\n  and ends.</Warning>\n\nEnd.", "Starts here and ends.\n\nEnd."),
    ('A <Tooltip tip="Application">word</Tooltip> and <Icon icon="x" /> more.', "A word and more."),
]  # fmt: skip

NEXTRA = [
    (
        "<Tabs items={['pnpm', 'npm']}>\n  <Tabs.Tab>Run pnpm.</Tabs.Tab>\n  <Tabs.Tab>Run npm.</Tabs.Tab>\n"
        "</Tabs>\n\nEnd.",
        "- pnpm:\n\n  Run pnpm.\n- npm:\n\n  Run npm.\n\nEnd.",
    ),
    ('<Callout type="info">\n  Text.\n</Callout>', "Text."),
    ("<Steps>\n### Install\n\nRun it.\n</Steps>", "### Install\n\nRun it."),
    (
        '<Tabs>\n\t<TabItem label="npm">\n\n\t\tText.\n\n\t\t## More\n\n\t\tOf it.\n\n\t</TabItem>\n</Tabs>',
        "- npm:\n\n  Text.\n\n  - More:\n\n    Of it.",
    ),
]  # fmt: skip

HUGO = [
    (
        '{{< tabs name="os" >}}\n{{% tab name="Windows" %}}\nPress W.\n{{% /tab %}}\n{{% tab "macOS" %}}\n'
        'Press C.\n{{% /tab %}}\n'
        "{{< /tabs >}}\n\nEnd.",
        "- Windows:\n\n  Press W.\n- macOS:\n\n  Press C.\n\nEnd.",
    ),
    ('{{< tab name="ARM" codelang="sh" >}}\ncurl *a*\n{{< /tab >}}', "- ARM:\n\n  ```\n  curl *a*\n  ```"),
    ('Each {{< glossary_tooltip text="Pod"\nterm_id="pod" >}} runs {{< param "x" >}}once.', "Each Pod runs once."),
    ('On a {{< glossary_tooltip term_id="control-plane" >}}.', "On a control plane."),
    ("The %%array|array%% without %%parity disk|parity%%: 100%%.", "The array without parity disk: 100%%."),
    ("| %%UDMA\\|udma%% errors | 5 |\n| --- | --- |", "| UDMA errors | 5 |\n| --- | --- |"),
    ("`%%array|array%%`", "`%%array|array%%`"),
    ("{{< note >}}\nText.\n{{</ note >}}\n\nEnd.", "Text.\n\nEnd."),
    ('{{< alert title="Only today" >}}\nText.\n{{< /alert >}}', "Only today:\n\nText."),
    (
        '{{< tabpane >}}\n{{< tab header="C" lang="c" >}}\n#include <a.h>\n{{< /tab >}}\n{{< /tabpane >}}',
        "- C:\n\n  ```\n  #include <a.h>\n  ```",
    ),
    (
        '{{< tabpane text=true >}}\n{{% tab header="C" %}}\nText.\n{{% /tab %}}\n{{< /tabpane >}}',
        "- C:\n\n  Text.",
    ),
    ('See [it]({{< ref "/a.md" >}}).', "See it."),
    ('## {{% heading "objectives" %}}\n\nText.', "## objectives\n\nText."),
    ("Write `{{< note >}}` here.", "Write `{{< note >}}` here."),
    ('{% tabs %}\n{% tab title="Windows" %}\nPress W.\n{% endtab %}\n{% endtabs %}\n\nEnd.',
     "- Windows:\n\n  Press W.\n\nEnd."),
]  # fmt: skip

GITHUB = [
    ("> [!NOTE]\n> Text.\n\nEnd.", "Text.\n\nEnd."),
    ("> [!WARNING] Only today\n> Text.", "Only today:\n\nText."),
    ("> :::note\n> Text.\n> :::\n\nEnd.", "Text.\n\nEnd."),
    ("Use <ip> as in ping <Server>, <b>bold</b> and <my-tag>x</my-tag><wbr>.",
     "Use <ip> as in ping <Server>, bold and x."),
    ("Put:\n\n<your-domain>\n\nthere.", "Put:\n\n<your-domain>\n\nthere."),
    ("<Vendor>\n\nText.", "<Vendor>\n\nText."),
]  # fmt: skip

CODE = [
    "```md\n:::note\n!!! note\n    x\n<Tabs>\n{{< tab >}}\n```",
    "~~~\n::: tip\n~~~",
    "- item\n\n  ````\n  ```\n  <Tab title='x'>\n  ```\n  ````",
    "```\n<Tabs>\n</Tabs>\nnever ends",
    "<pre>\n:::note\n</pre>",
    "<!--\n<Tabs>\n:::note\n-->",
    "Text.\n\n    :::note\n    <Tab title='x'>",
]  # fmt: skip


@pytest.mark.parametrize(("source", "text"), [*DOCUSAURUS, *VITEPRESS, *MKDOCS, *MINTLIFY, *NEXTRA, *HUGO, *GITHUB])
def test_what_a_reader_of_the_site_sees_stays(source: str, text: str) -> None:
    assert read(source) == text


@pytest.mark.parametrize("source", CODE)
def test_code_stays_as_it_is(source: str) -> None:
    assert plain_markdown(source) == source


@pytest.mark.parametrize("fence", ["```", "~~~~"])
def test_code_in_a_tab_only_moves(fence: str) -> None:
    code = [f"{fence}md", ":::note", '  <Tab title="x">', "", "# no heading", fence]
    source = "\n".join(['<Tab title="A">', *(f"    {line}" if line else "" for line in code), "</Tab>"])
    moved = [f"  {line}" if line else "" for line in code]
    assert plain_markdown(source).split("\n") == ["", "- A:", "", *moved, ""]


GROUPS = {
    "docusaurus": '<Tabs>\n<TabItem label="Windows">\n\nPress W.\n\n```sh\ndir\n```\n\nRestart.\n\n'
    "1. Wait.\n\nDone.\n\n</TabItem>\n"
    '<TabItem label="macOS">\n\nPress C.\n\n</TabItem>\n</Tabs>\n\n',
    "mkdocs": '=== "Windows"\n\n    Press W.\n\n    ```sh\n    dir\n    ```\n\n    Restart.\n\n'
    '    1. Wait.\n\n    Done.\n\n=== "macOS"\n\n'
    "    Press C.\n\n",
    "hugo": '{{< tab "Windows" >}}\nPress W.\n\n```sh\ndir\n```\n\nRestart.\n\n1. Wait.\n\nDone.\n'
    '{{< /tab >}}\n{{< tab "macOS" >}}\nPress C.\n'
    "{{< /tab >}}\n\n",
    "vitepress": ":::: tabs\n::: tab Windows\nPress W.\n\n```sh\ndir\n```\n\nRestart.\n\n1. Wait.\n\nDone.\n"
    ":::\n::: tab macOS\nPress C.\n:::\n::::\n\n",
}


def needs(text: str, words: str) -> list[str]:
    parsed = parse_text(text)
    place = next(place for place in range(len(parsed.sentences)) if words in parsed.words(place))
    return [parsed.words(needed) for needed in parsed.sentences[place].needs]


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize(
    "following", ["After.", "1. After.\n2. Later.", "- After.", "```\nAfter.\n```", "| After. |\n| --- |"]
)
def test_a_tab_restricts_what_stands_in_it_and_nothing_behind_it(group: str, following: str) -> None:
    text = read(GROUPS[group] + following)
    for inside in ("Press W.", "dir", "Restart.", "Wait.", "Done."):
        assert "- Windows:" in needs(text, inside), inside
    assert needs(text, "Press C.") == ["- macOS:"]
    assert not {"- Windows:", "- macOS:"} & set(needs(text, "After."))


def test_a_passage_from_the_midst_of_a_tab_names_it() -> None:
    steps = "\n\n".join(f"Press the button of number {number} and wait." for number in range(40))
    text = read(f'<Tab title="Windows">\n\n{steps}\n\n## Later\n\n{steps}\n\n</Tab>\n\nAfter all of that, sign in.')
    document = Document("a.md", "/a.md", "Manual", text, "en", metadata={"format": "markdown"})
    chunks = chunk_document(document, HashEmbedder(), 32)
    inside = [chunk for chunk in chunks if "Press" in chunk.text and "After all" not in chunk.text]
    assert len(inside) > 8
    assert all("Windows" in "\n".join((*chunk.heading_path, chunk.text)) for chunk in inside)
    assert inside[-1].heading_path == ("Windows", "Later")
    last = chunks[-1]
    assert last.text.endswith("After all of that, sign in.")


WORDS = st.text("ab -*#>0.1)\t`~|:!?=[]{}<>/中\"'_&@", max_size=20)
PLAIN = st.lists(
    st.sampled_from(
        [
            "# Fees",
            "- item",
            "  - deeper",
            "1. one",
            "> quoted",
            "```",
            "    code",
            "| a | b |\n|---|---|",
            "a: b!",
            "",
            "x ===",
        ]
    ),
    max_size=20,
).map("\n".join)
MARKS = st.sampled_from(
    [":::note", ":::", "/// tab | B", "///", "::::tab A",
     "!!! note", '=== "A"', "    x", "  x", "x", "", "<Tabs>", "</Tabs>",
     '<Tab title="A">', "</Tab>",
     "<Tab\n  title='x'\n>", "x</Tab>", "<Tabs items={['a'", "{{< tab A >}}", "{{< /tab >}}", "{{< x",
     "> [!NOTE]", "> :::", "- <Tab>",
     "## H", "- a", "1. b", "```", "~~~", "<!--", "-->", "<pre>", "import {", "export const a = [", "{/*",
     "<div style={{", "@tab B", "\t<Tab>",
     "<ip>", "<a b={"]
)  # fmt: skip
PAGES = st.lists(st.one_of(MARKS, WORDS), max_size=40).map("\n".join)


@pytest.mark.slow
@given(PLAIN)
def test_plain_markdown_does_not_change(source: str) -> None:
    assert plain_markdown(source) == source


@pytest.mark.slow
@given(PLAIN)
def test_plain_markdown_beside_a_mark_does_not_change(source: str) -> None:
    """A fence that does not end takes what is below it for code."""
    written = plain_markdown(f"<Icon name='x' />\n\n{source}").split("\n")
    assert "\n".join(written[-source.count("\n") - 1 :]) == source


@pytest.mark.slow
@given(PAGES)
def test_no_page_is_too_odd_to_read(source: str) -> None:
    plain_markdown(source)
    read(source)


def _deep(count: int) -> str:
    return '<Tab title="A">\n' * count + "</Tab>\n" * count


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [
        _deep,
        lambda count: "<Tab\n" * count,
        lambda count: "<Tab a={\n" * count,
        lambda count: "<A><A><A>" * count,
        lambda count: "{/*\n" * count,
        lambda count: "export const a = {\n\n" * count,
        lambda count: ":::note\n" * count + ":::\n" * count,
        lambda count: "> " * count + ":::note",
        lambda count: "> :::note\n" * count,
        lambda count: '=== "A"\n\n    x\n' * count,
        lambda count: "".join(f'{" " * min(4 * one, 400)}=== "A"\n' for one in range(count)),
        lambda count: "{{< x\n" * count + "{{< " * count,
        lambda count: '<Tab title="A">\n## H\n' * count,
        lambda count: "```\n:::\n" * count + "- " * count,
        lambda count: "</A>" * count + "x</A>\n" * count,
        lambda count: "<div a={\n" * count,
    ],
)
def test_time_grows_with_the_page(page: Callable[[int], str]) -> None:
    def seconds(count: int) -> float:
        source = page(count)
        started = time.process_time()
        plain_markdown(source)
        return time.process_time() - started

    seconds(100)
    short, long = (min(seconds(count) for _ in range(2)) for count in (1_000, 4_000))
    assert long < max(0.3, 10 * short)
