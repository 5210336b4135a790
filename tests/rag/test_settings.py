"""Settings come from the environment, and a bad one is named."""

import errno
import os
from pathlib import Path

import pytest

from rag import settings as settings_module
from rag.errors import FileUnusable, SettingsError
from rag.settings import KEPT_NAME, Sampling, Settings, checked_settings, load_settings, store_choices


@pytest.fixture(autouse=True)
def _fresh_cache() -> None:
    load_settings.cache_clear()


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1:11500", "http://127.0.0.1:11500"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("http://gpu-box:8080/", "http://gpu-box:8080"),
        ("https://gpu-box", "https://gpu-box:11434"),
        ("[::1]:5000", "http://[::1]:5000"),
        ("[::1]", "http://[::1]:11434"),
        (":11500", "http://127.0.0.1:11500"),
        ("", "http://127.0.0.1:11434"),
    ],
)
def test_ollama_is_named_as_its_own_variable_names_it(monkeypatch: pytest.MonkeyPatch, host: str, url: str) -> None:
    monkeypatch.setenv("OLLAMA_HOST", host)
    assert Settings().ollama_url == url


HOST_VARIABLES = ("ANSWERDESK_OLLAMA_HOSTS", "ANSWERDESK_OLLAMA_HOST", "OLLAMA_HOSTS", "OLLAMA_HOST")


def test_several_hosts_are_named_with_commas_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in HOST_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OLLAMA_HOSTS", " gpu-a:11500, http://gpu-b ,gpu-a:11500/,")
    settings = Settings(parallel_slots=3)
    assert settings.ollama_urls == ("http://gpu-a:11500", "http://gpu-b:11434")
    assert settings.ollama_url == "http://gpu-a:11500"
    assert settings.slots_of_all_hosts == 6
    monkeypatch.setenv("OLLAMA_HOSTS", "gpu-a")
    assert Settings().ollama_urls == ("http://gpu-a:11434",)


def test_the_first_variable_of_four_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    for place, name in enumerate(HOST_VARIABLES):
        monkeypatch.setenv(name, f"host-{place}:1")
    for place, name in enumerate(HOST_VARIABLES):
        assert Settings().ollama_url == f"http://host-{place}:1"
        monkeypatch.delenv(name)
    assert Settings().ollama_url == "http://127.0.0.1:11434"


@pytest.mark.parametrize("hosts", ["gpu-a:many", "gpu-a,ftp://gpu-b", "http://", "gpu-a:99999", "gpu-a:0"])
def test_an_address_that_cannot_be_one_is_named(monkeypatch: pytest.MonkeyPatch, hosts: str) -> None:
    monkeypatch.setenv("OLLAMA_HOSTS", hosts)
    with pytest.raises(SettingsError, match=r"OLLAMA_HOST.*no address of a model server"):
        load_settings()


def test_one_variable_moves_everything_that_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ANSWERDESK_DATA_DIR", str(tmp_path / "d"))
    settings = Settings()
    assert settings.knowledge_dir == tmp_path / "d" / "knowledge" / "default"
    assert settings.turns_path == tmp_path / "d" / "turns.db"


def test_a_bad_value_is_named_with_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSWERDESK_TOP_K", "many")
    with pytest.raises(SettingsError, match="ANSWERDESK_TOP_K"):
        load_settings()


def test_a_knowledge_base_name_cannot_leave_its_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSWERDESK_KNOWLEDGE_BASE", "../../etc")
    with pytest.raises(SettingsError, match="KNOWLEDGE_BASE"):
        load_settings()


def test_a_changed_copy_is_checked_too() -> None:
    settings = Settings(model="a")
    assert settings.changed(knowledge_base="shop").knowledge_base == "shop"
    assert settings.changed(knowledge_base="shop").model == "a"
    with pytest.raises(SettingsError, match="KNOWLEDGE_BASE"):
        settings.changed(knowledge_base="../elsewhere")


def test_another_data_folder_shares_nothing(tmp_path: Path) -> None:
    desk = Settings(data_dir=tmp_path, database_url="postgresql://desk@db.example/desk")
    assert desk.changed(knowledge_base="shop").knowledge_database is not None
    assert desk.changed(data_dir=tmp_path / "runs").knowledge_database is None


def test_a_bucket_is_named_without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for url in (
        "s3://KEY:s3cret@pieces/desk",
        "s3://pieces?endpoint=http://KEY:s3cret@minio",
        "s3://pieces?key=s3cret",
    ):
        monkeypatch.setenv("ANSWERDESK_BLOB_URL", url)
        with pytest.raises(SettingsError, match="ANSWERDESK_BLOB_URL") as told:
            load_settings()
        assert "s3cret" not in str(told.value)
    url = "s3://pieces/desk?endpoint=https://minio.example:9000"
    settings = Settings(database_url="postgresql://desk@db.example/desk", blob_url=url)
    assert settings.knowledge_database is not None and settings.knowledge_database.blob_url == url


def test_passwords_are_the_lines_of_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "passwords").write_text("sesame\n\n口令 1\n", "utf-8")
    assert Settings().document_passwords() == ()
    monkeypatch.setenv("ANSWERDESK_PASSWORDS_FILE", str(tmp_path / "passwords"))
    assert Settings().document_passwords() == ("sesame", "口令 1")
    (tmp_path / "latin").write_bytes("für\n".encode("latin-1"))
    for name, reason in (("missing", "there is no such file or folder"), ("latin", "it is not UTF-8 text")):
        monkeypatch.setenv("ANSWERDESK_PASSWORDS_FILE", str(tmp_path / name))
        with pytest.raises(SettingsError, match=f"PASSWORDS_FILE: {tmp_path / name} cannot be used: {reason}") as told:
            Settings().document_passwords()
        assert "Errno" not in str(told.value)


def test_a_kept_choice_serves_until_the_environment_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ANSWERDESK_DATA_DIR", str(tmp_path))
    assert store_choices(load_settings(), {"model": "team:7b", "parallel_slots": 3}) == []
    assert store_choices(load_settings(), {"context_tokens": 8192}) == []
    load_settings.cache_clear()
    found = load_settings()
    assert (found.model, found.parallel_slots, found.context_tokens) == ("team:7b", 3, 8192)
    monkeypatch.setenv("ANSWERDESK_PARALLEL_SLOTS", "5")
    load_settings.cache_clear()
    assert (load_settings().model, load_settings().parallel_slots) == ("team:7b", 5)
    assert store_choices(load_settings(), {"parallel_slots": 2}) == ["ANSWERDESK_PARALLEL_SLOTS"]


def test_a_choice_that_cannot_be_used_is_not_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ANSWERDESK_DATA_DIR", str(tmp_path))
    with pytest.raises(SettingsError, match="PARALLEL_SLOTS"):
        store_choices(load_settings(), {"parallel_slots": 0})
    assert not (tmp_path / KEPT_NAME).exists()


@pytest.mark.parametrize(
    ("language", "said"), [("en", "the disk is full"), ("zh", "磁盘已满")], ids=["English", "Chinese"]
)
def test_a_choice_that_cannot_be_written_is_told_in_our_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, language: str, said: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "in the system's words")

    monkeypatch.setattr("rag.settings.write_whole", refuse)
    with pytest.raises(FileUnusable) as told:
        store_choices(Settings(data_dir=tmp_path), {"model": "team:7b"})
    assert said in told.value.text(language) and str(tmp_path / KEPT_NAME) in told.value.text(language)


@pytest.mark.parametrize("content", ["{", "[1]", '{"parallel_slots": "many"}'])
def test_a_damaged_file_of_choices_is_named(content: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ANSWERDESK_DATA_DIR", str(tmp_path))
    (tmp_path / KEPT_NAME).write_text(content, "utf-8")
    with pytest.raises(SettingsError, match=r"settings\.json: ") as told:
        load_settings()
    assert "ANSWERDESK_" not in str(told.value), "no variable was set"


def test_a_file_of_choices_that_cannot_be_read_is_told_in_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ANSWERDESK_DATA_DIR", str(tmp_path))
    (tmp_path / KEPT_NAME).mkdir()
    with pytest.raises(SettingsError, match=r"settings\.json: cannot be read"):
        load_settings()


@pytest.mark.parametrize("variable", ["ANSWERDESK_DATA_DIR", "ANSWERDESK_CACHE_DIR"])
@pytest.mark.parametrize("below", ["", "data"])
def test_a_folder_that_is_none_is_named_with_its_variable(
    variable: str, below: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    monkeypatch.setenv(variable, str(tmp_path / "file" / below))
    for language, sentence in (("en", "is not a folder"), ("zh", "不是文件夹")):
        monkeypatch.setenv("LC_ALL", language)
        with pytest.raises(SettingsError, match=f"{variable}: .*{sentence}"):
            load_settings()


def test_a_data_folder_that_may_not_be_read_is_named_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ANSWERDESK_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("LC_ALL", "C")
    with monkeypatch.context() as closed:
        closed.setattr("rag.settings.os.access", lambda place, rights: rights == os.F_OK)
        with pytest.raises(SettingsError, match=f"ANSWERDESK_DATA_DIR: this user may not read the folder {tmp_path}"):
            load_settings()
    assert load_settings().data_dir == tmp_path


def test_a_user_without_a_home_folder_is_told_which_variable_to_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Path, "expanduser", _without_home)
    monkeypatch.delenv("ANSWERDESK_CACHE_DIR", raising=False)
    with pytest.raises(SettingsError, match=r"ANSWERDESK_CACHE_DIR: ~/\.cache/answerdesk cannot be found"):
        load_settings()
    monkeypatch.setenv("ANSWERDESK_CACHE_DIR", str(tmp_path))
    assert load_settings().cache_dir == tmp_path


def _without_home(path: Path) -> Path:
    if path.parts[:1] == ("~",):
        raise RuntimeError("Could not determine home directory.")
    return path


def test_a_file_of_choices_cannot_set_anything_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ANSWERDESK_DATA_DIR", str(tmp_path))
    (tmp_path / KEPT_NAME).write_text('{"top_k": 1, "data_dir": "/elsewhere"}', "utf-8")
    assert load_settings().top_k == Settings().top_k
    assert load_settings().data_dir == tmp_path


def test_a_profile_draws_words_its_way_and_what_is_set_by_itself_goes_before_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert Settings().sampling == Sampling(0.3, None, 1.0)
    monkeypatch.setenv("ANSWERDESK_DATA_DIR", str(tmp_path))
    store_choices(load_settings(), {"profile": "code"})
    load_settings.cache_clear()
    assert load_settings().sampling == Sampling(0.3, 0.9, 1.0)
    monkeypatch.setenv("ANSWERDESK_TOP_P", "0.5")
    load_settings.cache_clear()
    assert load_settings().sampling == Sampling(0.3, 0.5, 1.0)


@pytest.mark.parametrize("values", [{"profile": "poetry"}, {"top_p": 0}, {"top_p": 1.1}, {"repeat_penalty": 0}])
def test_a_profile_or_a_way_of_drawing_words_that_cannot_be_is_named(values: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=f"ANSWERDESK_{next(iter(values)).upper()}"):
        Settings().changed(**values)


@pytest.mark.parametrize(
    ("given", "expected"),
    [(None, "auto"), ("auto", "auto"), ("true", "on"), ("ON", "on"), ("1", "on"), ("false", "off"), ("0", "off")],
)
def test_review_takes_the_words_of_when_it_was_a_flag(
    given: str | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if given is not None:
        monkeypatch.setenv("ANSWERDESK_CURATED_REVIEW", given)
    assert Settings().curated_review == expected


def test_review_takes_no_other_words() -> None:
    with pytest.raises(SettingsError, match="CURATED_REVIEW"):
        Settings().changed(curated_review="perhaps")


@pytest.mark.parametrize("proxies", ["*", "proxy.example.org", "10.0.0.0/33"])
def test_a_proxy_is_an_address_or_a_network(monkeypatch: pytest.MonkeyPatch, proxies: str) -> None:
    assert Settings(trusted_proxies="127.0.0.1, 10.0.0.0/8").proxies() == ("127.0.0.1", "10.0.0.0/8")
    monkeypatch.setenv("ANSWERDESK_TRUSTED_PROXIES", proxies)
    with pytest.raises(SettingsError, match="ANSWERDESK_TRUSTED_PROXIES"):
        load_settings.__wrapped__()


@pytest.mark.parametrize(
    ("variable", "value", "english", "chinese"),
    [
        ("PARALLEL_SLOTS", "x", "must be a whole number", "必须是整数"),
        ("PARALLEL_SLOTS", "0", "must be at least 1", "不能小于 1"),
        ("READING_TIMEOUT_SECONDS", "inf", "must be at most 604800", "不能大于 604800"),
        ("READING_TIMEOUT_SECONDS", "1e17", "must be at most 604800", "不能大于 604800"),
        ("READING_MEMORY_MEGABYTES", "10000000000000", "must be at most 10000000", "不能大于 10000000"),
        ("EMBEDDER_THREADS", "99999999999", "must be at most 1024", "不能大于 1024"),
        ("THINKING", "maybe", "must be one of: auto, on, off", "只能是以下之一：auto, on, off"),
        ("FOLLOW_LINKS", "perhaps", "must be true or false", "只能是 true 或 false"),
        ("KNOWLEDGE_BASE", "a/b", "must be made of a-z", "只能由 a-z"),
        ("TRUSTED_PROXIES", "*", "* is no address of a network", "* 不是网络"),
        ("DATABASE_URL", "mysql://x", "no address of the form postgresql://", "地址格式应为 postgresql://"),
    ],
)
def test_what_is_wrong_with_a_setting_is_told_in_the_users_language(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, english: str, chinese: str
) -> None:
    monkeypatch.setenv(f"ANSWERDESK_{variable}", value)
    for language, words in (("en", english), ("zh", chinese)):
        monkeypatch.setattr(settings_module, "terminal_language", lambda language=language: language)
        with pytest.raises(SettingsError) as told:
            checked_settings({})
        assert str(told.value.details["reason"]).startswith(f"ANSWERDESK_{variable}: {words}")


@pytest.mark.parametrize("variable", HOST_VARIABLES)
def test_of_several_variables_the_one_that_is_set_is_named(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    for one in HOST_VARIABLES:
        monkeypatch.delenv(one, raising=False)
    monkeypatch.setenv(variable, "http://[bad")
    with pytest.raises(SettingsError, match=rf"(?<!\w){variable}: "):
        checked_settings({})


def test_every_number_has_a_greatest_value() -> None:
    numbers = [name for name, one in Settings.model_fields.items() if one.annotation in (int, float, int | None)]
    numbers += [name for name, one in Settings.model_fields.items() if one.annotation == (float | None)]
    assert len(numbers) > 40
    for name in numbers:
        for value in ("99999999999999999999", "inf", "1e999"):
            with pytest.raises(SettingsError, match=f"ANSWERDESK_{name.upper()}: must be "):
                checked_settings({name: value})


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        (["ANSWERDESK_SIGNIN"], "ANSWERDESK_SIGNIN: there is no such setting; did you mean ANSWERDESK_SIGN_IN?"),
        (["ANSWERDESK_TOPK"], "ANSWERDESK_TOPK: there is no such setting; did you mean ANSWERDESK_TOP_K?"),
        (["answerdesk_modle"], "answerdesk_modle: there is no such setting; did you mean ANSWERDESK_MODEL?"),
        (
            ["ANSWERDESK_METRIC_PORT"],
            "ANSWERDESK_METRIC_PORT: there is no such setting; did you mean ANSWERDESK_METRICS",
        ),
        (["ANSWERDESK_TOPK", "ANSWERDESK_SIGNIN"], "ANSWERDESK_SIGNIN: .*; ANSWERDESK_TOPK: "),
    ],
)
def test_a_misspelt_setting_is_named_with_the_nearest_one(
    variables: list[str], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in variables:
        monkeypatch.setenv(name, "on")
    with pytest.raises(SettingsError, match=reason.replace("?", r"\?")) as told:
        load_settings()
    assert told.value.exit_code == 2
    monkeypatch.setattr(settings_module, "terminal_language", lambda: "zh")
    with pytest.raises(SettingsError, match="没有这项设置"):
        load_settings()


def test_a_name_that_is_like_no_setting_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ANSWERDESK_ZZZZ", "1")
    load_settings()
    assert caplog.messages == ["ANSWERDESK_ZZZZ: there is no such setting; docs/settings.md lists all of them"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ANSWERDESK_TORCH", "cpu"),
        ("ANSWERDESK_TORCH_INDEX", "http://127.0.0.1:9/cpu"),
        ("ANSWERDESK_API_KEY", "ad_1"),
        ("answerdesk_top_k", "3"),
        ("ANSWERDESK_OLLAMA_HOSTS", "127.0.0.1"),
        # a service that Kubernetes announces
        ("ANSWERDESK_SERVICE_HOST", "10.0.0.7"),
        ("ANSWERDESK_SERVICE_PORT_HTTP", "8501"),
        ("ANSWERDESK_PORT", "tcp://10.0.0.7:8501"),
        ("ANSWERDESK_API_PORT_8600_TCP_ADDR", "10.0.0.7"),
    ],
)
def test_what_others_read_or_announce_is_no_misspelt_setting(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    load_settings()
