"""Numbered migrations: a database's ``user_version`` says how many of its list have been applied.

Steps are never edited once released; a change is a new step at the end.  Those of turns, of people and of requests also
make the tables of a server: ``postgres.py`` puts SQLite's words into the server's.  Nothing is moved there.
"""

import sqlite3

from rag.storage.connection import Connection, is_sqlite, make_append_only, number_rows, require_unique_in_any_case


def _knowledge_tables(connection: sqlite3.Connection) -> None:
    """Documents and chunks of all kept generations.

    A row is visible in generation n when ``first_generation <= n`` and ``last_generation`` is NULL or greater than n:
    ``last_generation`` is the first generation in which it is gone.  Chunks repeat the two columns and the language of
    their document, so that a search filters without a join.
    """
    for statement in (
        """CREATE TABLE generation (
            generation INTEGER PRIMARY KEY,
            published_at TEXT NOT NULL,
            embedder_model TEXT NOT NULL,
            dimension INTEGER NOT NULL,
            document_count INTEGER NOT NULL,
            chunk_count INTEGER NOT NULL
        )""",
        "CREATE TABLE current (one INTEGER PRIMARY KEY CHECK (one = 1), generation INTEGER NOT NULL)",
        "INSERT INTO current VALUES (1, 0)",
        """CREATE TABLE document (
            document_key INTEGER PRIMARY KEY AUTOINCREMENT,
            document_id TEXT NOT NULL,
            root TEXT NOT NULL,
            relative_path TEXT NOT NULL,
            path TEXT NOT NULL,
            title TEXT NOT NULL,
            text TEXT NOT NULL,
            language TEXT NOT NULL,
            source TEXT NOT NULL,
            updated_on TEXT,
            audience TEXT NOT NULL,
            metadata TEXT NOT NULL,
            content_hash BLOB NOT NULL,
            recipe TEXT NOT NULL,
            first_generation INTEGER NOT NULL,
            last_generation INTEGER
        )""",
        "CREATE UNIQUE INDEX document_alive ON document (document_id) WHERE last_generation IS NULL",
        "CREATE INDEX document_by_id ON document (document_id)",
        "CREATE INDEX document_gone ON document (last_generation) WHERE last_generation IS NOT NULL",
        "CREATE INDEX document_since ON document (first_generation)",
        # AUTOINCREMENT: an index file of an older generation must never meet a reused number
        """CREATE TABLE chunk (
            chunk_id INTEGER PRIMARY KEY AUTOINCREMENT,
            document_key INTEGER NOT NULL REFERENCES document (document_key) ON DELETE CASCADE,
            ordinal INTEGER NOT NULL,
            heading_path TEXT NOT NULL,
            text TEXT NOT NULL,
            start_offset INTEGER NOT NULL,
            end_offset INTEGER NOT NULL,
            language TEXT NOT NULL,
            embedding_hash BLOB NOT NULL,
            first_generation INTEGER NOT NULL,
            last_generation INTEGER
        )""",
        "CREATE UNIQUE INDEX chunk_of_document ON chunk (document_key, ordinal)",
        "CREATE INDEX chunk_embedding ON chunk (embedding_hash)",
        # holds all that counting and listing need, so that they do not read the texts
        "CREATE INDEX chunk_visible ON chunk (first_generation, last_generation, language)",
        """CREATE TABLE embedding (
            content_hash BLOB NOT NULL,
            model_id TEXT NOT NULL,
            vector BLOB NOT NULL,
            UNIQUE (content_hash, model_id)
        )""",
        # the text is cut into terms before it comes here (rag/text/terms.py); unicode61 only splits at the spaces
        "CREATE VIRTUAL TABLE chunk_terms USING fts5 (terms, tokenize = 'unicode61 remove_diacritics 0')",
    ):
        connection.execute(statement)


def _turn_tables(connection: Connection) -> None:
    """Questions and what became of them; evidence and answer as JSON of ``rag.schema``'s values."""
    for statement in (
        """CREATE TABLE turn (
            turn_number INTEGER PRIMARY KEY AUTOINCREMENT,
            turn_id TEXT NOT NULL UNIQUE,
            session TEXT NOT NULL,
            created_at TEXT NOT NULL,
            question TEXT NOT NULL,
            language TEXT NOT NULL,
            state TEXT NOT NULL,
            evidence TEXT NOT NULL,
            answer TEXT,
            partial_text TEXT NOT NULL,
            thinking TEXT NOT NULL,
            error_class TEXT NOT NULL,
            error_text TEXT NOT NULL,
            owner TEXT NOT NULL
        )""",
        "CREATE INDEX turn_of_session ON turn (session, turn_number)",
        "CREATE INDEX turn_running ON turn (state) WHERE state IN ('queued', 'searching', 'thinking', 'answering')",
    ):
        connection.execute(statement)


def _token_signs(connection: sqlite3.Connection) -> None:
    """Keep a passage's tokens beside its vector: NULL in rows from before, until the passage is embedded again.

    ``token_numbers`` are the distinct ones, ascending, int32; ``token_signs`` a bit a dimension, token after token.
    The numbers come first: what lies after the long ``token_signs`` is slow to reach.
    """
    for column in ("token_numbers", "token_signs"):
        connection.execute(f"ALTER TABLE embedding ADD COLUMN {column} BLOB")


def _generation_history(connection: sqlite3.Connection) -> None:
    """Keep what made each generation: how many documents came and went, and which one a rollback restored."""
    for column in ("added", "changed", "retired", "restored"):
        connection.execute(f"ALTER TABLE generation ADD COLUMN {column} INTEGER NOT NULL DEFAULT 0")


def _regression_questions(connection: sqlite3.Connection) -> None:
    """Keep the questions that a new generation must answer as well as the one before, and what they look like embedded.

    ``document_ids`` is a JSON list, any of which holds the answer.  ``place`` is where the expected document stood in
    ``placed_in``, NULL where it was not found.  ``lost`` of a generation counts the questions that it answers worse.
    """
    for statement in (
        """CREATE TABLE regression_question (
            question_key INTEGER PRIMARY KEY,
            question TEXT NOT NULL,
            language TEXT NOT NULL,
            document_ids TEXT NOT NULL,
            quote TEXT NOT NULL,
            origin TEXT NOT NULL,
            created_at TEXT NOT NULL,
            place INTEGER,
            placed_in INTEGER NOT NULL DEFAULT 0,
            UNIQUE (question, language)
        )""",
        """CREATE TABLE question_vector (
            content_hash BLOB NOT NULL,
            model_id TEXT NOT NULL,
            vector BLOB NOT NULL,
            token_numbers BLOB NOT NULL,
            token_vectors BLOB NOT NULL,
            PRIMARY KEY (content_hash, model_id)
        )""",
        "ALTER TABLE generation ADD COLUMN lost INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE generation ADD COLUMN forced INTEGER NOT NULL DEFAULT 0",
    ):
        connection.execute(statement)


def _access(connection: sqlite3.Connection) -> None:
    """Keep who may read the knowledge base: the name of a scope, empty for everybody, and an audience."""
    connection.execute(
        "CREATE TABLE access (one INTEGER PRIMARY KEY CHECK (one = 1), scope TEXT NOT NULL, audience TEXT NOT NULL)"
    )
    connection.execute("INSERT INTO access VALUES (1, '', 'public')")


def _source_files(connection: sqlite3.Connection) -> None:
    """Keep what each file was when it was read: 32 bytes of its size, its times, its documents and how it was read."""
    connection.execute("CREATE TABLE source_file (path TEXT PRIMARY KEY, fingerprint BLOB NOT NULL) WITHOUT ROWID")


def _document_sketches(connection: sqlite3.Connection) -> None:
    """Keep what tells equal and nearly equal documents (``ingest/duplicates.py``), apart from the long texts."""
    connection.execute(
        "CREATE TABLE document_sketch (document_key INTEGER PRIMARY KEY REFERENCES document (document_key) "
        "ON DELETE CASCADE, body BLOB NOT NULL, numbers BLOB NOT NULL)"
    )
    connection.execute("CREATE INDEX document_visible ON document (first_generation, last_generation)")


def _contact_details(connection: sqlite3.Connection) -> None:
    """Keep which addresses each document names and which are confirmed, see ``contact_details.py``.

    A document that names none has one row with an empty ``detail``: it was looked through.
    """
    for statement in (
        "CREATE TABLE contact_detail (document_key INTEGER NOT NULL REFERENCES document (document_key) "
        "ON DELETE CASCADE, detail TEXT NOT NULL, PRIMARY KEY (document_key, detail)) WITHOUT ROWID",
        "CREATE TABLE confirmed_detail (detail TEXT PRIMARY KEY) WITHOUT ROWID",
        "CREATE TABLE confirmation (generation INTEGER NOT NULL, at TEXT NOT NULL, person TEXT NOT NULL)",
    ):
        connection.execute(statement)


def _plain_terms(connection: sqlite3.Connection) -> None:
    """Keep a chunk's terms in a column of ``chunk`` and drop the FTS5 index around them, which no query used.

    The terms are read from FTS5's own content table, so that a damaged full-text index does not stop the migration.
    """
    connection.execute("ALTER TABLE chunk ADD COLUMN terms TEXT NOT NULL DEFAULT ''")
    connection.execute(
        "UPDATE chunk SET terms = content.c0 FROM chunk_terms_content AS content WHERE content.id = chunk.chunk_id"
    )
    connection.execute("DROP TABLE chunk_terms")


def _figures(connection: sqlite3.Connection) -> None:
    """Keep what is known of each document's pictures; the pictures are files named by ``digest`` (``figures.py``)."""
    connection.execute(
        """CREATE TABLE figure (
            document_key INTEGER NOT NULL REFERENCES document (document_key) ON DELETE CASCADE,
            ordinal INTEGER NOT NULL,
            digest TEXT NOT NULL,
            start_offset INTEGER NOT NULL,
            end_offset INTEGER NOT NULL,
            width INTEGER NOT NULL,
            height INTEGER NOT NULL,
            page INTEGER NOT NULL,
            box TEXT NOT NULL,
            alt TEXT NOT NULL,
            caption TEXT NOT NULL,
            words TEXT NOT NULL,
            PRIMARY KEY (document_key, ordinal)
        ) WITHOUT ROWID"""
    )
    connection.execute("CREATE INDEX figure_digest ON figure (digest)")


def _figure_descriptions(connection: sqlite3.Connection) -> None:
    """Keep what vision models say of pictures, see ``figures.py``."""
    connection.execute(
        "CREATE TABLE figure_description (digest TEXT NOT NULL, model TEXT NOT NULL, language TEXT NOT NULL, "
        "text TEXT NOT NULL, PRIMARY KEY (digest, model, language)) WITHOUT ROWID"
    )


def keep_known_answers(connection: Connection) -> None:
    """Keep what is known of a regression question's answer: JSON lists of texts, and of groups of texts.

    In a knowledge base's own file, and on a server, where ``regression.py`` has the table.
    """
    for column in ("answers", "key_points"):
        connection.execute(f"ALTER TABLE regression_question ADD COLUMN {column} TEXT NOT NULL DEFAULT '[]'")


KNOWLEDGE_MIGRATIONS = (
    _knowledge_tables,
    _token_signs,
    _generation_history,
    _regression_questions,
    _access,
    _source_files,
    _document_sketches,
    _contact_details,
    _plain_terms,
    _figures,
    _figure_descriptions,
    keep_known_answers,
)


def _move(connection: Connection, statement: str) -> None:
    """Move what files of older versions hold; the tables of a server were empty when this step made them."""
    if is_sqlite(connection):
        connection.execute(statement)


def _error_in_both_languages(connection: Connection) -> None:
    """Keep an error's sentence in both languages: a person who reopens a turn may read the other one."""
    connection.execute("ALTER TABLE turn RENAME COLUMN error_text TO error_en")
    connection.execute("ALTER TABLE turn ADD COLUMN error_zh TEXT NOT NULL DEFAULT ''")
    connection.execute("UPDATE turn SET error_zh = error_en")


def _conversations(connection: Connection) -> None:
    """Keep which turn a question goes on from; empty where it begins a conversation."""
    connection.execute("ALTER TABLE turn ADD COLUMN follows TEXT NOT NULL DEFAULT ''")


def _turn_times(connection: Connection) -> None:
    """Keep where the time of each turn went apart from its texts, so that a month of it is read in a moment.

    ``evidence`` is a stage as well: all until the passages are shown.  Turns from before have their answer's spans.
    """
    for statement in (
        """CREATE TABLE turn_span (
            span INTEGER PRIMARY KEY AUTOINCREMENT,
            turn_number INTEGER NOT NULL REFERENCES turn (turn_number) ON DELETE CASCADE,
            asked_at TEXT NOT NULL,
            stage TEXT NOT NULL,
            duration_ms REAL NOT NULL
        )""",
        "CREATE INDEX turn_span_of_stage ON turn_span (stage, asked_at, duration_ms)",
        "CREATE INDEX turn_span_of_turn ON turn_span (turn_number, stage)",
        "ALTER TABLE turn ADD COLUMN generated_tokens INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE turn ADD COLUMN generation_ms REAL NOT NULL DEFAULT 0",
        "CREATE INDEX turn_measured ON turn (created_at, state, generated_tokens, generation_ms)",
    ):
        connection.execute(statement)
    for statement in (
        """INSERT INTO turn_span (turn_number, asked_at, stage, duration_ms)
            SELECT turn_number, created_at, json_extract(value, '$.name'), json_extract(value, '$.duration_ms')
            FROM turn, json_each(turn.answer, '$.spans') WHERE turn.answer IS NOT NULL""",
        """INSERT INTO turn_span (turn_number, asked_at, stage, duration_ms)
            SELECT turn_number, asked_at, 'evidence', sum(duration_ms) FROM turn_span
            WHERE stage IN ('embed', 'search', 'pack') GROUP BY turn_number""",
    ):
        _move(connection, statement)


def _turn_bases(connection: Connection) -> None:
    """Keep which knowledge base a turn was asked of: who may not use that one does not see the turn.

    Turns from before were asked of the only one that there was, unless somebody had named another in the settings.
    """
    connection.execute("ALTER TABLE turn ADD COLUMN knowledge_base TEXT NOT NULL DEFAULT 'default'")
    connection.execute("CREATE INDEX turn_of_base ON turn (knowledge_base, turn_number)")


def _feedback(connection: Connection) -> None:
    """Keep what agents thought of an answer and what became of it, one row a turn each.

    ``changed_share`` in [0, 1] is how much of the reply the agent rewrote; ``topic`` is where in the knowledge base
    the answer came from, ``agent_group`` whose team the agent is of.
    """
    for statement in (
        """CREATE TABLE turn_feedback (
            turn_number INTEGER PRIMARY KEY REFERENCES turn (turn_number) ON DELETE CASCADE,
            at TEXT NOT NULL,
            person TEXT NOT NULL,
            useful INTEGER NOT NULL,
            reason TEXT NOT NULL
        )""",
        """CREATE TABLE turn_outcome (
            turn_number INTEGER PRIMARY KEY REFERENCES turn (turn_number) ON DELETE CASCADE,
            at TEXT NOT NULL,
            outcome TEXT NOT NULL,
            changed_share REAL NOT NULL,
            lane TEXT NOT NULL,
            topic TEXT NOT NULL,
            agent_group TEXT NOT NULL
        )""",
        "CREATE INDEX turn_outcome_at ON turn_outcome (at)",
    ):
        connection.execute(statement)


def _turn_citations(connection: Connection) -> None:
    """Keep which documents each answer cites, apart from the answers and in the order in which they are counted."""
    for statement in (
        """CREATE TABLE turn_citation (
            knowledge_base TEXT NOT NULL,
            asked_at TEXT NOT NULL,
            turn_number INTEGER NOT NULL REFERENCES turn (turn_number) ON DELETE CASCADE,
            document_id TEXT NOT NULL,
            PRIMARY KEY (knowledge_base, asked_at, turn_number, document_id)
        ) WITHOUT ROWID""",
        "CREATE INDEX turn_citation_of_turn ON turn_citation (turn_number)",
    ):
        connection.execute(statement)
    _move(
        connection,
        """INSERT INTO turn_citation (knowledge_base, asked_at, turn_number, document_id)
            SELECT DISTINCT knowledge_base, created_at, turn_number, json_extract(value, '$.document_id')
            FROM turn, json_each(turn.answer, '$.citations') WHERE state = 'done' AND turn.answer IS NOT NULL""",
    )


def _opinions(connection: Connection) -> None:
    """Keep what each person thought of an answer; ``turn_feedback`` has the one that counts (``turn_store.py``).

    ``standing`` is 2 for a lead, 1 for who asked, 0 for others.  Opinions from before are taken for the askers'.
    """
    for statement in (
        """CREATE TABLE turn_opinion (
            turn_number INTEGER NOT NULL REFERENCES turn (turn_number) ON DELETE CASCADE,
            person TEXT NOT NULL,
            at TEXT NOT NULL,
            useful INTEGER NOT NULL,
            reason TEXT NOT NULL,
            standing INTEGER NOT NULL,
            PRIMARY KEY (turn_number, person)
        ) WITHOUT ROWID""",
        "INSERT INTO turn_opinion SELECT turn_number, person, at, useful, reason, 1 FROM turn_feedback",
    ):
        connection.execute(statement)


TURN_MIGRATIONS = (
    _turn_tables,
    _error_in_both_languages,
    _conversations,
    _turn_times,
    _turn_bases,
    _feedback,
    _turn_citations,
    _opinions,
)


def _people_tables(connection: Connection) -> None:
    """People, what they may read, their sign-ins, wrong attempts, and the record of changes.

    A sign-in is kept by the SHA-256 of its token, so that who reads this file can sign in as nobody.  ``scopes`` is a
    JSON list, or NULL for every knowledge base.  ``password`` is an Argon2 hash; empty: another provider signs them in.
    The record can be added to and read, and nothing else: triggers refuse the rest.
    """
    for statement in (
        """CREATE TABLE person (
            name TEXT PRIMARY KEY COLLATE NOCASE,
            role TEXT NOT NULL CHECK (role IN ('agent', 'lead', 'admin')),
            scopes TEXT,
            password TEXT NOT NULL DEFAULT '',
            disabled INTEGER NOT NULL DEFAULT 0,
            added_at TEXT NOT NULL,
            sign_ins_after TEXT NOT NULL DEFAULT ''
        )""",
        """CREATE TABLE sign_in (
            token_hash BLOB PRIMARY KEY,
            name TEXT NOT NULL REFERENCES person (name),
            begun_at TEXT NOT NULL,
            ends_at TEXT NOT NULL
        )""",
        "CREATE INDEX sign_in_of ON sign_in (name)",
        """CREATE TABLE attempt (
            attempt INTEGER PRIMARY KEY,
            at REAL NOT NULL,
            name TEXT NOT NULL COLLATE NOCASE,
            address TEXT NOT NULL
        )""",
        "CREATE INDEX attempt_at ON attempt (at)",
        """CREATE TABLE change (
            change INTEGER PRIMARY KEY AUTOINCREMENT,
            at TEXT NOT NULL,
            who TEXT NOT NULL,
            what TEXT NOT NULL,
            about TEXT NOT NULL,
            details TEXT NOT NULL
        )""",
    ):
        connection.execute(statement)
    require_unique_in_any_case(connection, "person", "name")
    make_append_only(connection, "change")


def _known_browsers_and_use(connection: Connection) -> None:
    """When a sign-in was last used, and the browsers that somebody has signed in with before.

    ``sign_in_use`` is keyed as ``rag/people/sign_ins.py`` does, for passwords and for other providers alike.  A browser
    is kept by the SHA-256 of its token.  Times are seconds since 1970.
    """
    for statement in (
        "CREATE TABLE sign_in_use (key BLOB PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID",
        """CREATE TABLE known_browser (
            token_hash BLOB NOT NULL,
            name TEXT NOT NULL COLLATE NOCASE REFERENCES person (name),
            at REAL NOT NULL,
            PRIMARY KEY (token_hash, name)
        ) WITHOUT ROWID""",
        "CREATE INDEX known_browser_of ON known_browser (name)",
    ):
        connection.execute(statement)


def _api_keys(connection: Connection) -> None:
    """Keys of other programs, each kept by the SHA-256 of its secret.

    ``owner`` is NULL for a key of nobody in particular (made in a terminal, or where nobody signs in).  ``rights`` is a
    JSON list, ``scopes`` too, or NULL for every knowledge base.  Times are in UTC; ``used_at`` is to the hour.
    """
    connection.execute(
        """CREATE TABLE api_key (
            key_id TEXT PRIMARY KEY,
            secret_hash BLOB NOT NULL UNIQUE,
            name TEXT NOT NULL,
            owner TEXT COLLATE NOCASE REFERENCES person (name),
            rights TEXT NOT NULL,
            scopes TEXT,
            audience TEXT NOT NULL CHECK (audience IN ('public', 'internal')),
            created_at TEXT NOT NULL,
            expires_at TEXT,
            used_at TEXT,
            revoked INTEGER NOT NULL DEFAULT 0,
            questions_a_minute INTEGER
        )"""
    )
    number_rows(connection, "api_key")


PEOPLE_MIGRATIONS = (_people_tables, _known_browsers_and_use, _api_keys)
