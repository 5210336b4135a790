"""What the pages say of people: the English and the Chinese text of each key of ``ui/i18n.py``."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

PEOPLE_WORDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        # people
        "sign_in": ("Sign in", "登录"),
        "sign_in_with": ("Sign in with your organisation's account", "使用单位账号登录"),
        "sign_out": ("Sign out", "退出登录"),
        "name": ("Name", "用户名"),
        "password": ("Password", "密码"),
        "password_new": ("New password, at least {limit} characters", "新密码，至少 {limit} 个字符"),
        "password_again": ("The same once more", "再次输入新密码"),
        "password_change": ("Change my password", "修改我的密码"),
        "password_changed": (
            "The password is changed. Please sign in with it.",
            "密码已修改，请用新密码登录。",
        ),
        "first_admin": ("First start: make the first admin", "首次启动：创建第一位管理员"),
        "first_admin_why": (
            "The code is in the terminal that started the desk.",
            "验证码显示在启动工作台的终端中。",
        ),
        "first_admin_code": ("Code", "验证码"),
        "first_admin_make": ("Make the admin", "创建管理员"),
        "role": ("Role", "角色"),
        "role_agent": ("Agent", "客服"),
        "role_lead": ("Lead", "组长"),
        "role_admin": ("Admin", "管理员"),
        "user_role": ("Role: {role}", "角色：{role}"),
        "user_scopes": ("May read: {names}", "可用知识库：{names}"),
        "list_comma": (", ", "、"),
        "scope": ("Knowledge base", "知识库"),
        "people": ("People", "用户"),
        "people_none_kept": ("This desk keeps no people.", "此工作台未启用用户管理。"),
        "people_not_required": (
            "Nobody has to sign in now: whoever sits at this machine may do everything. From the first admin on, "
            "everybody signs in.",
            "目前无需登录：使用本机的人可以执行所有操作。添加第一位管理员后，所有人都需要登录。",
        ),
        "people_nobody": ("Nobody yet.", "尚无用户。"),
        "people_may_read": ("May read", "可用知识库"),
        "people_everything": ("Every knowledge base", "全部知识库"),
        "people_choose_scopes": ("Choose knowledge bases", "选择知识库"),
        "people_state": ("State", "状态"),
        "people_active": ("Active", "正常"),
        "people_disabled": ("Disabled", "已停用"),
        "people_elsewhere": ("Signs in with the organisation's account", "使用单位账号登录"),
        "people_add": ("Let somebody in", "添加用户"),
        "people_add_button": ("Add", "添加"),
        "people_password_empty": ("Empty: the organisation's account", "留空表示使用单位账号"),
        "people_change": ("Change somebody", "修改用户"),
        "people_save": ("Save", "保存"),
        "people_disable": ("Disable", "停用"),
        "people_enable": ("Enable", "启用"),
        "people_sign_out": ("Sign out everywhere", "使所有登录失效"),
        "people_set_password": ("Set the password", "设置密码"),
        "people_done": ("Done. It acts from the next click on.", "已完成，从下一次点击起生效。"),
        # who changed what
        "record": ("Who changed what", "变更记录"),
        "record_empty": ("Nothing was changed yet.", "尚无变更。"),
        "record_shown": (
            "The last {count} changes; all of them are in the file.",
            "最近 {count} 条变更，完整记录见文件。",
        ),
        "record_at": ("When", "时间"),
        "record_who": ("Who", "操作人"),
        "record_what": ("What", "操作"),
        "record_about": ("About", "对象"),
        "record_how": ("How", "内容"),
        "record_download": ("All changes as a file", "下载全部记录"),
        "change_person_added": ("Let in", "添加用户"),
        "change_person_role": ("Role given", "更改角色"),
        "change_person_scopes": ("Knowledge bases given", "更改可用知识库"),
        "change_person_disabled": ("Disabled", "停用"),
        "change_person_enabled": ("Enabled", "启用"),
        "change_password_set": ("Password set", "设置密码"),
        "change_signed_out_everywhere": ("Signed out everywhere", "使所有登录失效"),
        "change_published": ("Published", "发布"),
        "change_rolled_back": ("Rolled back", "回滚"),
        "change_correction": ("Corrected an answer", "更正答案"),
        "change_setting": ("Setting", "设置"),
        "change_model": ("Model", "模型"),
        "no_scope": (
            "No knowledge base is open to you yet. Ask an admin.",
            "您还没有可用的知识库，请联系管理员。",
        ),
    }
)
