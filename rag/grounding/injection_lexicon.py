"""The words by which an order to the model is known, in the languages that customers' documents come in, and the rules.

A rule is a chain of word classes, each within so many characters behind the one before.  Words are written here as
people write them; ``prompt_injection.py`` brings them into the plain letters in which texts are compared.  English,
Chinese, German, French, Spanish, Portuguese, Italian, Dutch, Russian, Japanese and Korean.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Link:
    """A class of words, and how many characters may lie between it and the link before it."""

    words: str
    gap: int = 40


@dataclass(frozen=True, slots=True)
class Rule:
    """Links in the order of the text.  ``anywhere`` rules hold in a question as well, the others only in a passage."""

    links: tuple[Link, ...]
    anywhere: bool = True


# Words are parted by commas or line breaks; a phrase stands for its words in a row.  A word in Latin, Cyrillic or Greek
# letters is a whole word; one in Chinese, Japanese or Korean letters is found inside a run of them as well.
WORDS: Final[dict[str, str]] = {
    "none": """
从现在开始,你们, 从现在开始你们, 从现在起你们, 从现在起,你们, 现在起你们, 客户端, 客户机, 用户名, 用户组
""",  # no words of a shorter one
    "start": "",  # the beginning of a sentence
    "drop": """
ignore, ignores, ignoring, disregard, disregards, disregarding, forget, bypass, discard, set aside, not follow
don't follow, don’t follow, stop following, pay no attention to, no longer follow, take no notice of, no longer obey
stop obeying, do not obey, don't obey, neglect, ignoriere, ignorieren, ignoriert, missachte, missachten, vergiss
vergessen sie, vergesst, verwirf, verwerfen sie, ignorez, ignorer, oublie, oubliez, oublier, fais abstraction
faites abstraction, ne tiens pas compte, ne tenez pas compte, ne tenez plus compte, ne suis pas, ne suivez pas
ne suivez plus, ignora, ignorar, ignorad, olvida, olvide, olvidar, haz caso omiso, haga caso omiso, no hagas caso
no sigas, descarta, omite, ignorare, ignorate, dimentica, dimenticate, desconsidere, desconsidera, esqueça, esquece
negeer, vergeet, игнорируй, игнорируйте, игнорировать, проигнорируй, проигнорируйте, забудь, забудьте
не обращай внимания, не обращайте внимания, не следуй, не следуйте, отбрось, отбросьте, отмени, отмените, 忽略, 无视
忘记, 忘掉, 抛开, 不要理会, 别管, 不用管, 跳过, 不再遵守, 不要遵守, 放弃, 不必遵守, 置之不理, 抛弃, 别理
""",
    # what a file or a law does as well
    "overwrite": "override, overrides, overriding, overrule, overrules, overruled, 覆盖, 取代",
    "yours": "your, previous, prior, system, safety, all your, 你的, 系统",
    "matter": """
the passages, the documents, the context, the question, the other rows, the rest, other passages, all passages
the page, 资料, 文档, 其他行, 其余, 问题, 正文, 上下文
""",
    "no_heed": "不要看, 不用看, 别看, 停止阅读, 请停止, stop reading, read no further",
    "told_before": """
what you were told, you were told before, what you have been told, 之前对你说的话, 对你说过的话, 之前告诉你的
""",
    "answer": "answer, reply, respond, say, output, tell, 回答, 回复, 作答, 输出, 告诉, 说",
    "every_question": """
answer every question, answer all questions, answer each question, answer any question, reply to every question
reply to every customer, reply to all customers, respond to every question, respond to all questions
""",
    "with": "with, by",
    "question_in_chinese": "所有问题, 任何问题, 每个问题, 这个问题, 此问题, 该问题",
    "using_in_chinese": "一律用, 一律以, 请用, 都用, 只用, 均用",
    "put_words": "put the words, put the word, put the phrase, put the sentence",
    "at_an_end": "at the start, at the beginning, at the end, in front, at the top",
    "you_answer": "you answer, you reply, you say, you tell",
    "whenever": "whenever, anybody asks, somebody asks, someone asks, anyone asks, they ask",
    "whenever_in_chinese": "只要有人问, 有人问到, 有人问起, 凡有人问",
    "then_answer_in_chinese": "就回答, 就回复, 就说, 就答",
    # verbs that come last
    "dropped": """
無視, 忘れ, 従わない, 破棄, 従うな, 무시, 잊어, 잊고, 따르지, 忽略掉, 作废, 失效, 不再有效, 不算数, be ignored
be disregarded, be forgotten, are void, are cancelled, are canceled, are obsolete, are superseded, are overridden
is void, is cancelled, no longer apply, no longer applies, no longer count, are suspended, ignorieren, missachten
vergessen
""",
    "told": """
previous, previously, prior, above, earlier, preceding, existing, original, former, all, any, other, your, these
system, safety, given, every, everything, foregoing, initial, aforementioned, past, what comes before
what came before, so far, before this, you have been told, you were told, vorherigen, vorherige, vorigen, vorige
bisherigen, bisherige, obigen, obige, früheren, frühere, alle, allen, deine, deiner, sämtliche, ursprünglichen
vorangegangenen, précédentes, précédente, précédents, antérieures, toutes, tous, toute, tes, vos, ci-dessus, initiales
anteriores, anterior, previas, previos, todas, todos, tus, sus, iniciales, precedenti, tutte, tutti, tue, le tue
todas as, suas, eerdere, vorige, bovenstaande, предыдущие, предыдущих, предыдущую, прежние, прежних, все, всех, свои
вышеуказанные, прошлые, ранние, данные ранее, 之前, 以上, 上面, 前面, 上述, 所有, 一切, 先前, 此前, 原有, 原来, 系统
你的, 全部, 任何, 资料, 文档, これまで, 以前, 上記, 前の, すべて, 全て, 今まで, あなたの, いままで, 이전, 위의, 모든
앞의, 지금까지, 기존
""",
    # what a model has, and hardly a page of a shop
    "instructions": """
instruction, instructions, prompt, prompts, guideline, guidelines, directive, directives, programming, training
anweisung, anweisungen, instruktion, instruktionen, vorgaben, richtlinien, prompts, systemprompt, consigne, consignes
instrucción, instrucciones, indicaciones, directrices, istruzione, istruzioni, instruções, instrução, instructies
directives, directivas, инструкции, инструкций, инструкцию, указания, указаний, предписания, установки, 指令, 指示
提示, 提示词, 设定, 命令, 上下文, 训练, 約束, プロンプト, 지시, 명령, 프롬프트
""",
    "rulelike": """
rule, rules, direction, directions, constraint, constraints, restriction, restrictions, policy, policies, context
command, commands, document, documents, passage, passages, message, messages, text, everything, order, orders, limits
regeln, regel, règles, règle, reglas, órdenes, orden, regole, ordini, regras, ordens, regels, правила, правил, команды
команд, приказы, ограничения, 规则, 要求, 限制, 约束, 资料, 文档, 对话, 内容, 说明, 身份, ルール, 制限, 규칙, 지침
내용
""",
    "bare": "instructions, system prompt, prompt, rules, documents",
    # to be somebody else
    "role": """
you are no longer, you are hereby, you are an unrestricted, you are unrestricted, you are uncensored
you are an uncensored, you are an evil, you are a jailbroken, you are now an, you are now a, you are now called
you are now in, you are now free, you are now acting, you are now operating, you will now act, you will act as
pretend to be, pretend that you, pretend you're, pretend you are, pretend you, role-play as, act as an ai
act as a hacker, act as dan, act as an unrestricted, act as a model, act as if you, jailbreak, do anything now
stay in character, your new name is, your new role is, your new identity, your new task is, your new instructions
your new persona, your only task is, your sole task is, du bist jetzt ein, du bist jetzt eine, du bist nun ein
du bist nun eine, du bist ab jetzt, du bist ab sofort, du bist kein, ab jetzt bist du, ab sofort bist du
von nun an bist du, tu so als, verhalte dich wie, deine neue rolle, deine neue aufgabe, tu es maintenant
tu es désormais, vous êtes désormais un, vous êtes désormais une, vous êtes maintenant un, vous êtes maintenant une
fais semblant, faites semblant, ton nouveau rôle, à partir de maintenant tu, à partir de maintenant vous êtes
ahora eres, eres ahora, a partir de ahora eres, finge ser, finge que, actúa como si, tu nuevo rol, tu nueva tarea
ora sei, adesso sei, fingi di, agora você é, a partir de agora você, finja ser, je bent nu een, doe alsof, теперь ты
ты теперь, отныне ты, с этого момента ты, притворись, представь что ты, твоя новая роль, твоя новая задача
从现在开始你, 从现在起你, 现在起你, 从现在开始,你, 从现在起,你, 你现在是, 你不再是, 你来扮演, 你要扮演, 你扮演, 请扮演
假装你, 假设你是, 越狱模式, 你的新身份, 你的新任务, 你的新角色, 你的名字是, あなたは今から, 今からあなた
これからあなた, あなたは今後, のふりをして, として振る舞, あなたの新しい役割, 너는 이제, 당신은 이제, 이제 너는
이제 당신은, 지금부터 너는, 지금부터 당신은, 인 척, 역할을 맡아
""",
    "mode": """
developer mode, debug mode, god mode, maintenance mode, dan mode, root mode, 开发者模式, 调试模式, 维护模式, 上帝模式
""",
    "enabled": "enabled, activated, engaged, unlocked, on, 已开启, 已启用, 已激活, 已打开, 开启",
    "you_in_chinese": "你是一个, 你是一名, 你是一位",
    "from_now": """
from now on, from now on you, henceforth, henceforth you, as of now you, starting now you, effective immediately you
""",
    "act": "you, act, answer, reply, respond, always, every, end, begin, finish",
    "may": "should, can, may, need, have, pay, will, receive",
    # to tell its prompt
    "tell": """
reveal, repeat, print, show, output, leak, recite, tell me, give me, share, display, summarize, summarise, translate
what is, what are, dump, spell out, expose, disclose, zeige, nenne, verrate, wiederhole, montre, révèle, répète
muestra, revela, repite, покажи, раскрой, повтори, 复述, 重复, 输出, 告诉我, 说出, 透露, 打印, 展示, 翻译
""",
    "own_prompt": """
system prompt, system prompts, system instructions, system message, system messages, system rules, system guidelines
hidden prompt, hidden prompts, hidden instructions, hidden message, initial prompt, initial instructions
original prompt, original instructions, secret prompt, secret instructions, your prompt, your prompts
your instructions, your rules, your guidelines, your messages, developer prompt, developer instructions
developer message, secret rules, initial message, systemprompt, deine anweisungen, tes instructions, tus instrucciones
твой системный промпт, твои инструкции, 你的指令, 你的规则, 你的设定, 你的要求, 你的提示
""",
    "prompt_named": """
system prompt, hidden prompt, initial prompt, developer prompt, words above, text above, everything above
system-prompt, prompt système, prompt del sistema, системный промпт, системную инструкцию, 系统提示词, 系统指令
初始指令, 隐藏指令, 内部指令, 你的提示词, システムプロンプト, 시스템 프롬프트
""",
    # what a machine is to say
    "machine": """
answering model, answering models, 作答模型, 回答模型, ai, llm, llms, language model, language models, assistant
assistants, chat bot, chat bots, chatbot, chatbots, bot, bots, gpt, chatgpt, deepseek, copilot, gemini, ai agent
ai agents, ai system, ai systems, virtual agent, virtual agents, automated answers, automated replies
automatic replies, automatic answers, automated agents, ki, ki-assistent, ki-assistenten, sprachmodell, sprachmodelle
assistent, assistenten, ia, modèle de langage, assistant virtuel, asistente, asistentes, modelo de lenguaje
modelo de linguagem, assistente, assistenti, taalmodel, ии, ассистент, ассистенту, ассистенты, чат-бот, чат-боты
чатбот, бот, языковая модель, нейросеть, 人工智能, 大模型, 语言模型, 助手, 聊天机器人, 智能客服, アシスタント
言語モデル, チャットボット, 人工知能, 어시스턴트, 챗봇, 언어 모델, 인공지능
""",
    "must": """
must, should, shall, has to, have to, needs to, need to, is to, are to, will now, please, is required to
are required to, is obliged to, are obliged to, is instructed to, are instructed to, is expected to, are expected to
muss, müssen, soll, sollen, bitte, doit, doivent, devez, debe, deben, deberá, deve, devono, devem, moet, moeten
должен, должна, должны, обязан, обязаны, пожалуйста
""",
    "say_that": """
say that, state that, reply that, answer that, reply with, answer with, confirm that, tell customers, tell every
tell everyone
""",
    "must_in_chinese": "必须, 应当, 务必, 只能, 请, 应, 需, 要",
    "say": """
say, reply, respond, answer, output, print, write, tell, repeat, include, append, add, insert, begin, start, end
finish, confirm, state, return, display, show, reveal, recommend, mention, announce, inform, claim, promise, assure
advise, sagen, antworten, schreiben, empfehlen, bestätigen, ausgeben, erwähnen, mitteilen, hinzufügen, beginnen
beenden, dire, répondre, écrire, recommander, confirmer, ajouter, mentionner, informer, affirmer, indiquer, decir
responder, escribir, recomendar, confirmar, añadir, mencionar, informar, indicar, afirmar, rispondere, scrivere
raccomandare, confermare, aggiungere, dizer, escrever, recomendar, zeggen, antwoorden, vermelden, сказать, отвечать
ответить, говорить, писать, написать, рекомендовать, сообщать, сообщить, подтвердить, добавлять, добавить
""",
    "say_in_chinese": """
作答, 回复, 回答, 输出, 打印, 写出, 写上, 告诉, 重复, 复述, 附上, 加上, 补充, 插入, 开头, 结尾, 确认, 声明, 返回, 显示
展示, 透露, 推荐, 说
""",
    "must_say_last": """
必ず答え, と答えなければ, と回答しなければ, と答えてください, と回答してください, と返信してください, と言ってください
と伝えてください, と出力して, 대답해야, 답변해야, 라고 답하, 라고 대답하, 라고 말하, 추천해야, 답하세요, 대답하세요
말하세요
""",
    "note": """
todo, note, notes, message, instruction, instructions, attention, important, reminder, warning, notice, memo
directive, hinweis, achtung, anweisung, nachricht, remarque, consigne, attention, nota, aviso, mensaje, instrucción
внимание, инструкция
""",
    "to": "to, for, für, an, pour, aux, à, para, a, для",
    "to_reader": """
when this page is quoted, when this page is cited, when this text is quoted, 引用本页时, 引用本文时, to whoever reads
to whoever summarises, to whoever summarizes, to whoever processes, to whoever answers, to whatever reads
to anyone who summarises, to anyone who summarizes, to anything that reads, to anything that processes
to anyone who answers, to anyone processing, whoever processes this, if you are an ai, if you are a language model
if you are an llm, if you're an ai, if you are a bot, if you are a chatbot, wenn du eine ki, si tu es une ia
si eres una ia, если ты ии, 如果你是ai, 如果你是人工智能, 如果你是大模型, もしあなたがai, 如果你是语言模型
""",
    "to_in_chinese": "致, 给, 提醒, 通知",
    "machine_or_program": """
作答模型, 回答模型, 模型, ai, 人工智能, 大模型, 语言模型, 助手, 聊天机器人, 智能客服, 程序, アシスタント, 챗봇
""",
    "heed_in_chinese": "注意, 请注意, 须知",
    # orders about the reply's form
    "each": """
your, every, each, all, any, your next, each of your, all of your, every one of your, all your, deine, jede, jeder
jedes, alle, ta, votre, chaque, toutes, tes, vos, tu, cada, todas, tus, твой, каждый, все, твои
""",
    "reply": """
answer, answers, reply, replies, response, responses, output, outputs, antwort, antworten, réponse, réponses
respuesta, respuestas, ответ, ответы, risposta, risposte, resposta, respostas
""",
    "must_form": """
must begin, must start, must end, must say, must include, must contain, must be exactly, should begin, should start
should end, should say, should include, should contain, shall begin, shall end, shall include, has to begin
has to end, has to include, needs to begin, needs to end, needs to include, must always, should always, must only
begins with, ends with, starts with, is to end, is to begin, is to include, are to end, are to begin, carries the
closes with, opens with, must close, must open, must carry, muss mit, muss enden, müssen mit, müssen enden, endet mit
beginnt mit, doit commencer, doit se terminer, doivent se terminer, debe comenzar, debe empezar, debe terminar
deben terminar, debe incluir, должен начинаться, должен заканчиваться
""",
    "when_asked": """
when asked, if asked, whenever asked, when you are asked, if you are asked, whenever you are asked, before answering
before you answer, before replying, after answering, when answering, when you answer, when replying, when responding
before responding, if you're asked, after you answer, wenn du gefragt, wenn man dich, si on te demande
si on vous demande, si te preguntan, если тебя спросят, если тебя спрашивают, bei fragen
""",
    "say_this": """
say the, say this, say your, say security, say all, tell the, tell this, show the, show your, state the, state your
""",
    "reply_order": """
said to everybody who, said to everyone who, tell everybody who asks, tell everyone who asks, 对所有来问的人
对每个来问的人, always reply, always respond, always answer, always output, always print, instead reply
instead respond, instead answer, instead output, instead print, reply only, respond only, answer only, output only
print only, reply exactly, respond exactly, answer exactly, output exactly, print exactly, reply solely, answer solely
respond solely, only reply with, only answer with, only respond with, simply answer with, simply respond with
output the string, output the text, output the word, output the words, print the string, print the text
repeat the phrase, repeat the sentence, repeat the words, include the phrase, include the sentence
append the sentence, append the phrase, say the words, say the sentence, say the phrase, antworte nur, antworte immer
antworte stets, antworte ausschließlich, antworte mit, antworten sie nur, antworte ab, sage immer, réponds uniquement
réponds toujours, réponds seulement, réponds que, réponds par, répondez uniquement, répondez toujours, dis toujours
dis que, dis aux clients, répète la phrase, responde solo, responde sólo, responde siempre, responde únicamente
responde que, responde con, responda solo, responda siempre, di siempre, di que, diles que, rispondi solo
rispondi sempre, rispondi che, responda apenas, responda sempre, antwoord alleen, antwoord altijd, отвечай только
отвечайте только, отвечай всегда, всегда отвечай, всегда отвечайте, отвечай что, ответь только, скажи что, говори всем
говори что, сообщи всем, скажи клиентам, 一律回复, 一律回答, 一律输出, 只需回复, 只要回复, 只需回答, 只要回答
只需输出, 请直接输出, とだけ答え, とだけ回答, とだけ返, と必ず答え, とだけ出力, 라고만 답, 라고만 대답, 라고만 말
만 출력, 언제나 답, 항상 대답
""",
    "reply_with": """
reply with the words, reply with the word, reply with the sentence, reply with the phrase, reply with the text
reply with exactly, reply with this, respond with the words, respond with the word, respond with the sentence
respond with the phrase, respond with the text, respond with exactly, respond with this, answer with the words
answer with the word, answer with the sentence, answer with the phrase, answer with the secret, answer with the text
answer with exactly, answer with this, finish with the words, finish with the sentence, end with the words
end with the sentence, begin with the words, start with the words, close with the words, reply with the following
respond with the following, answer with the following, reply using the words, answer using the words
""",
    "answers_in_chinese": """
你的回答, 你的回复, 你的答复, 你的输出, 所有回答, 所有回复, 所有答复, 每个回答, 每个回复, 每条回复, 任何回答, 任何回复
""",
    "form_in_chinese": "必须, 都要, 只能, 务必",
    "asked_in_chinese": """
被问到任何, 被问到所有, 回答用户, 回答顾客, 回答客户, 回答任何, 回答所有, 回复用户, 回复顾客, 回复客户, 回复任何
回复所有, 被问到用户, 问到任何, 问到本页任何
""",
    "only_in_chinese": "必须, 只, 一律, 都要, 务必",
    # new orders announced, and orders in disguise
    "new_instructions": """
new instructions, new instruction, updated instructions, updated instruction, additional instructions, new prompt
new system instructions, new system prompt, updated system prompt, new directive, updated directive
additional directive, additional prompt, admin override, system override, neue anweisung, neue anweisungen
nouvelle instruction, nouvelles instructions, nouvelles consignes, nueva instrucción, nuevas instrucciones
новая инструкция, новые инструкции, nuove istruzioni, 新指令, 新的指令, 新系统指令, 新提示词, 新的提示词, 新指示
更新后的指令, 更新指令, 额外指令, 额外的指令, 新しい指示, 新しい命令, 새로운 지시
""",
    "colon": "",  # the sign itself
    "follow": """
follow, obey, execute, carry out, do what, act on, comply with, befolge, suis, sigue, выполни, 执行, 遵照, 照做, 実行
실행
""",
    "decode": "decode, base64, rot13, decrypt, deciphered, decoded, 解码, entschlüssele, décode, decodifica, декодируй",
    # what customers are to hear
    "ensure": """
make sure, makes sure, ensure, see to it, be sure, it is policy, it is our policy, company policy is, policy is
""",
    "customers": """
customer, customers, everybody, everyone, anybody, anyone, caller, callers, buyer, buyers, user, users, client
clients, shopper, kunde, kunden, client, clientes, cliente, клиент, клиентам, клиента, клиенту, покупателям
""",
    "hear": """
hear, hears, is told, are told, know, knows, learn, learns, is informed, are informed, gets told, get told, receives
receive, is sent, are sent, is directed, are directed
""",
    "inform": """
tell, inform, advise, assure, promise, instruct, notify, sage, sagen sie, informiere, dis, dites, informe, informa
diga, сообщите, скажите
""",
    "inform_all": """
tell all, tell every, tell each, tell any, inform all, inform every, inform each, let all, let every, let each
assure every
""",
    "be_told": """
must be told, should be told, are to be told, is to be told, have to be told, must hear, should hear, must be informed
should be informed, are to be informed, must be sent, must be directed, must be assured, shall be told
""",
    "dictate": """
say that, state that, reply that, reply with, respond that, respond with, answer that, answer with, mention that
""",
    "speak": "say, reply, respond, write",
    "quote": "",  # the sign that opens a quotation, or a colon
    "inform_in_chinese": "告诉, 告知, 转告, 确保",
    "customers_in_chinese": """
所有顾客, 每位顾客, 顾客, 所有客户, 每位客户, 客户, 所有用户, 每位用户, 每个顾客, 每个客户, 每个用户, 买家, 来电者
""",
    "told_in_chinese": "知道, 得知, 应被告知, 必须被告知, 都要被告知, 都会听到, 都应知道",
}


def _rule(*links: str | tuple[str, int], anywhere: bool = True) -> Rule:
    return Rule(tuple(Link(one) if isinstance(one, str) else Link(*one) for one in links), anywhere)


RULES: Final[tuple[Rule, ...]] = (
    # to drop what it was told
    _rule("drop", "told", "rulelike"),
    _rule("drop", ("told", 160), ("instructions", 80)),
    _rule("drop", ("bare", 20)),
    _rule("drop", ("matter", 4), ("answer", 20)),
    _rule("no_heed", ("answer", 24)),
    _rule("drop", ("told_before", 4)),
    _rule("overwrite", ("told", 40), ("instructions", 40)),
    _rule("overwrite", ("yours", 12), ("rulelike", 20)),
    _rule("told", "instructions", ("dropped", 40)),
    # to be somebody else
    _rule("role"),
    _rule("start", ("mode", 2), ("enabled", 4)),
    _rule("you_in_chinese", ("machine", 12)),
    _rule("from_now", ("act", 2)),
    # to tell its prompt
    _rule("tell", ("own_prompt", 40)),
    _rule("prompt_named"),
    # what a machine is to say
    _rule("machine", ("must", 40), ("say", 30)),
    _rule("machine", ("say_that", 2)),
    _rule("machine", ("must_in_chinese", 12), ("say_in_chinese", 14)),
    _rule("machine", ("must_say_last", 80)),
    _rule("note", ("to", 2), ("machine", 11)),
    _rule("to_in_chinese", ("machine_or_program", 10), ("colon", 6)),
    _rule("machine", ("heed_in_chinese", 2)),
    _rule("to_reader"),
    # chat formats, new orders announced, orders in disguise
    _rule("new_instructions", ("colon", 3)),
    _rule("decode", ("follow", 60)),
    _rule("follow", ("decode", 60)),
    # orders about the reply's form: in a passage they speak to nobody else; in a question anybody may have a wish
    _rule("each", ("reply", 2), ("must_form", 60), anywhere=False),
    _rule("when_asked", ("say", 60), anywhere=False),
    _rule("reply_order", anywhere=False),
    _rule("reply_with", anywhere=False),
    _rule("every_question", ("with", 24), anywhere=False),
    _rule("question_in_chinese", ("using_in_chinese", 2), ("say_in_chinese", 28), anywhere=False),
    _rule("put_words", ("at_an_end", 40), anywhere=False),
    _rule("you_answer", ("quote", 2), ("whenever", 40), anywhere=False),
    _rule("whenever_in_chinese", ("then_answer_in_chinese", 12), anywhere=False),
    _rule("answers_in_chinese", ("form_in_chinese", 10), anywhere=False),
    _rule("asked_in_chinese", ("only_in_chinese", 20), ("say_in_chinese", 8), anywhere=False),
)

DIRECTIVES: Final[tuple[Rule, ...]] = (
    # what customers are to hear: a rule of the house where somebody has confirmed it, else a stranger's word
    _rule("ensure", ("customers", 20), ("hear", 20)),
    _rule("start", ("inform", 10), ("customers", 12)),
    _rule("inform_all", ("customers", 6)),
    _rule("customers", ("be_told", 12)),
    _rule("start", ("dictate", 2)),
    _rule("start", ("speak", 8), ("quote", 2)),
    _rule("inform_in_chinese", ("customers_in_chinese", 4)),
    _rule("customers_in_chinese", ("told_in_chinese", 6)),
)
"""How a text tells staff, or the model, what is to be said to customers."""

TRIGGERS: Final = frozenset(
    """
drop no_heed every_question question_in_chinese put_words whenever whenever_in_chinese overwrite dropped
role mode you_in_chinese from_now own_prompt prompt_named machine to_reader machine_or_program
new_instructions decode reply when_asked reply_order reply_with answers_in_chinese asked_in_chinese
ensure inform inform_all be_told dictate speak inform_in_chinese customers_in_chinese
""".split()  # noqa: SIM905
)
"""Every rule has one of these classes, the rarer ones: a text without their words is not looked at further."""

COMMON_WORDS: Final = frozenset("you are the your what is an if as in to de a es ты ist eine".split())  # noqa: SIM905
"""Words of phrases by which no phrase is looked for first."""
