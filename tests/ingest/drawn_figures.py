"""Sixty pictures as they stand in manuals, drawn anew for each test: dialogs, charts and labelled devices.

Each has a question that somebody would ask who sees these words.  Some are noisy, some turned a little, some stored
turned by a quarter, as telephones do.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from rag.schema import Language

FONT = "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"
_SIZE = (900, 460)
_TURNED_DEGREES = 3.0
_NOISE = 28.0
_QUARTER_TURN = 6  # of EXIF's orientations: the picture is shown turned to the right


@dataclass(frozen=True)
class Drawn:
    """A picture's words, line by line, and the question that they answer.

    ``look`` is ``dialog``, ``chart`` or ``device``; ``fault`` what makes it hard to read, or empty.
    """

    language: Language
    look: str
    words: tuple[str, ...]
    question: str
    fault: str = ""

    @property
    def name(self) -> str:
        return f"{self.language}-{self.look}-{self.words[0]}"


_ENGLISH = (
    ("dialog", "Pairing failed|Token expired after 90 s|Retry", "The app says the pairing token expired, what now?"),
    ("dialog", "Error E-42|Water tank not seated|OK", "My cleaner shows E-42 water tank not seated"),
    ("dialog", "Update paused|Battery below 30 %|Later", "Why is the update paused with battery below 30 %?"),
    ("dialog", "Login blocked|Too many attempts|Reset password", "login blocked because of too many attempts"),
    ("dialog", "Certificate invalid|Check date and time|Details", "What is a certificate invalid message about?"),
    ("dialog", "Error 0x80070057|Parameter is incorrect|Close", "What does 0x80070057 mean?"),
    ("dialog", "Filter worn out|Replace cartridge FC-9|Snooze", "It wants me to replace cartridge FC-9"),
    ("dialog", "Gateway offline|Last contact 14:05|Reconnect", "The gateway is offline, last contact 14:05"),
    ("dialog", "Invoice not found|Ask billing desk|Back", "It says invoice not found, ask the billing desk"),
    ("dialog", "Map deleted|Start a new survey run|Begin", "After map deleted do I start a survey run?"),
    ("dialog", "Child lock active|Hold both keys|Cancel", "How do I end child lock, which keys to hold?"),
    ("dialog", "Firmware 7.3.1|Checksum mismatch|Abort", "firmware 7.3.1 reports a checksum mismatch"),
    ("chart", "Noise by mode|Quiet 48|Turbo 71|Boost 76", "How loud is turbo mode compared with quiet?"),
    ("chart", "Energy per wash|Cotton 0.9|Wool 0.4|Eco 0.6", "Energy used per wash for wool and cotton"),
    ("chart", "Range of lamps|Garden 12 m|Street 40 m|Hall 8 m", "What range do the street lamps have?"),
    ("chart", "Repairs by year|2023 310|2024 270|2025 190", "How many repairs were there in 2024?"),
    ("chart", "Delivery days|Ireland 3|Norway 6|Malta 7", "How many delivery days to Norway and Malta?"),
    ("chart", "Battery life|Model A 21 h|Model B 34 h", "What is the battery life of model B?"),
    ("chart", "Return reasons|Too loud 41|Too large 22", "Return reasons: how many found it too large?"),
    ("chart", "Charging curve|50 % 18 min|80 % 41 min", "How long is charging up to 80 %?"),
    ("chart", "Flow rate|Shower 9 l|Kitchen 6 l|Bidet 4 l", "What flow rate has the kitchen tap?"),
    ("device", "Dust sensor|Side brush|Suction inlet", "Where is the suction inlet and the side brush?"),
    ("device", "Reset pinhole|USB-C port|Status LED", "Where is the reset pinhole?"),
    ("device", "Drain hose|Inlet valve|Levelling foot", "Where do I find the inlet valve?"),
    ("device", "Paper tray|Toner door|Fuser cover", "How do I open the fuser cover and toner door?"),
    ("device", "Antenna A|Antenna B|SIM slot", "Which side is the SIM slot on?"),
    ("device", "Crumb drawer|Timer knob|Rack guide", "Where is the crumb drawer?"),
    ("device", "Lens shutter|Microphone|Tripod thread", "Is there a tripod thread or a lens shutter?"),
    ("device", "Descaler cap|Steam wand|Drip grid", "Where does the descaler cap sit?"),
    ("device", "Terminal L1|Terminal N|Earth clamp", "Which one is the earth clamp?"),
)
_CHINESE = (
    ("dialog", "配对失败|令牌已过期|重试", "应用提示配对令牌已过期怎么办？"),
    ("dialog", "错误 E-57|水箱未安装到位|确定", "机器显示 E-57 水箱未安装到位"),
    ("dialog", "升级已暂停|电量低于百分之三十|稍后", "为什么升级暂停，说电量低？"),
    ("dialog", "登录受限|尝试次数过多|找回密码", "登录受限，尝试次数过多怎么处理？"),
    ("dialog", "证书无效|请核对日期时间|详情", "提示证书无效请核对日期是什么意思？"),
    ("dialog", "错误代码 30187|参数不正确|关闭", "错误代码 30187 是什么？"),
    ("dialog", "滤芯寿命耗尽|请更换滤芯|知道了", "提示滤芯寿命耗尽要换吗？"),
    ("dialog", "网关离线|上次在线昨天|重新连接", "网关离线了怎么重新连接？"),
    ("dialog", "找不到发票|请联系财务|返回", "系统说找不到发票，请联系财务"),
    ("dialog", "地图已删除|请重新建图|开始", "地图已删除之后要重新建图吗？"),
    ("dialog", "童锁已开启|同时按住两键|取消", "童锁开启了按哪两键解除？"),
    ("dialog", "固件校验失败|请重新下载|中止", "固件校验失败需要重新下载吗？"),
    ("chart", "各模式噪音|安静 48|强力 71", "强力模式的噪音是多少？"),
    ("chart", "每次洗涤用电|棉织物 0.9|羊毛 0.4", "洗羊毛每次用电多少？"),
    ("chart", "灯具照射距离|庭院灯 12|路灯 40", "路灯的照射距离有多远？"),
    ("chart", "历年维修量|二〇二四年 270|二〇二五年 190", "历年维修量是多少？"),
    ("chart", "配送天数|西藏 7|海南 5|北京 1", "送到西藏和海南要几天？"),
    ("chart", "续航时间|标准版 21|长续航版 34", "长续航版的续航时间是多少？"),
    ("chart", "退货原因|噪音太大 41|尺寸太大 22", "退货原因里尺寸太大占多少？"),
    ("chart", "充电曲线|半满 18 分钟|八成 41 分钟", "充电到八成要几分钟？"),
    ("chart", "出水流量|淋浴 9|厨房 6|净身盆 4", "厨房龙头的出水流量是多少？"),
    ("device", "尘量传感器|边刷|吸尘口", "边刷和吸尘口在哪里？"),
    ("device", "复位孔|充电接口|状态指示灯", "复位孔在哪个位置？"),
    ("device", "排水管|进水阀|调平脚", "进水阀在哪里？"),
    ("device", "纸盒|碳粉仓门|定影器盖", "定影器盖怎么打开？"),
    ("device", "天线甲|天线乙|卡槽", "卡槽在哪一边？"),
    ("device", "碎屑盘|定时旋钮|烤架导轨", "碎屑盘在哪里？"),
    ("device", "镜头挡片|麦克风|三脚架螺孔", "有没有三脚架螺孔和镜头挡片？"),
    ("device", "除垢剂盖|蒸汽棒|滴水网", "除垢剂盖在哪里？"),
    ("device", "火线端子|零线端子|接地夹", "哪一个是接地夹？"),
)
_FAULTS = ("", "noisy", "", "turned", "", "quarter")


def drawn_set() -> tuple[Drawn, ...]:
    """Return the sixty pictures, thirty a language."""
    return tuple(
        Drawn(language, look, tuple(words.split("|")), question, _FAULTS[number % len(_FAULTS)])
        for language, rows in (("en", _ENGLISH), ("zh", _CHINESE))
        for number, (look, words, question) in enumerate(rows)
    )


def draw(one: Drawn) -> bytes:
    """Return the picture as a file: a PNG, or a JPEG where it was taken with a telephone."""
    image = Image.new("RGB", _SIZE, "#f4f6f8")
    pen = ImageDraw.Draw(image)
    {"dialog": _dialog, "chart": _chart, "device": _device}[one.look](pen, one.words)
    buffer = io.BytesIO()
    if one.fault == "quarter":
        exif = Image.Exif()
        exif[0x0112] = _QUARTER_TURN
        image.transpose(Image.Transpose.ROTATE_90).save(buffer, "JPEG", exif=exif, quality=90)
        return buffer.getvalue()
    if one.fault == "turned":
        image = image.rotate(_TURNED_DEGREES, resample=Image.Resampling.BICUBIC, fillcolor="#f4f6f8")
    if one.fault == "noisy":
        noise = np.random.default_rng(7).normal(0, _NOISE, (*_SIZE[::-1], 3))
        image = Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))
    image.save(buffer, "PNG")
    return buffer.getvalue()


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(FONT, size)


def _dialog(pen: ImageDraw.ImageDraw, words: Sequence[str]) -> None:
    title, message, button = words
    pen.rectangle((120, 60, 780, 400), fill="white", outline="#334", width=2)
    pen.rectangle((120, 60, 780, 120), fill="#2d4a6b")
    pen.text((145, 72), title, "white", _font(30))
    pen.text((160, 200), message, "#222", _font(32))
    pen.rounded_rectangle((540, 320, 760, 380), 8, fill="#dfe6ee", outline="#334")
    pen.text((560, 330), button, "#222", _font(26))


def _chart(pen: ImageDraw.ImageDraw, words: Sequence[str]) -> None:
    title, *bars = words
    pen.text((60, 20), title, "#111", _font(34))
    for number, label in enumerate(bars):
        top = 110 + number * 110
        pen.rectangle(
            (380, top, 480 + 110 * (number + 1), top + 60), fill=("#4477aa", "#ee6677", "#228833")[number % 3]
        )
        pen.text((40, top + 8), label, "#111", _font(30))


def _device(pen: ImageDraw.ImageDraw, words: Sequence[str]) -> None:
    pen.ellipse((80, 110, 380, 410), fill="#c9d3dd", outline="#333", width=3)
    pen.ellipse((190, 220, 270, 300), fill="#8fa3b5")
    for number, label in enumerate(words):
        height = 110 + number * 120
        pen.line((260, 180 + number * 70, 520, height + 20), fill="#333", width=2)
        pen.text((530, height), label, "#111", _font(30))
