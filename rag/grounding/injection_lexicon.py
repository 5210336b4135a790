"""The lexicon and the rules by which instructions to the model are recognised, in the languages of documents.

A rule is a chain of word classes, each within some characters after the one before.  Words are written as people write
them; ``prompt_injection.py`` converts them to plain letters.  English and Chinese are covered in detail; German,
French, Spanish, Portuguese, Italian, Dutch, Russian, Japanese and Korean in their common forms; and the words of every
instruction about a reply (``each_reply``, ``whatever_asked``, ``no_answer``, ``at_reply``) in 28 languages, since a
model obeys in every language that it reads.
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
muestra, revela, repite, copia, recopie, gib, покажи, раскрой, повтори, 复述, 重复, 输出, 告诉我, 说出, 透露, 打印
展示, 翻译
""",
    "own_prompt": """
system prompt, system prompts, system instructions, system message, system messages, system rules, system guidelines
hidden prompt, hidden prompts, hidden instructions, hidden message, initial prompt, initial instructions
original prompt, original instructions, secret prompt, secret instructions, your prompt, your prompts
your instructions, your rules, your guidelines, your messages, developer prompt, developer instructions
developer message, secret rules, initial message, systemprompt, deine anweisungen, tes instructions, tus instrucciones
deine systemanweisung, tes consignes, свои инструкции, твой системный промпт, твои инструкции, 你的指令, 你的规则
你的设定, 你的要求, 你的提示
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
modelo de linguagem, assistente, assistenti, taalmodel, ии, ассистент, ассистенту, ассистента, l'assistant
l'assistente, asystenta, asistana, ассистенты, чат-бот, чат-боты, чатбот, бот, языковая модель, нейросеть, 人工智能
大模型, 语言模型, 助手, 聊天机器人, 智能客服, アシスタント, 言語モデル, チャットボット, 人工知能, 어시스턴트, 챗봇
언어 모델, 인공지능
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
todo, note, notes, nota, заметка, uwaga, not, message, instruction, instructions, attention, important, reminder
warning, notice, memo, directive, hinweis, achtung, anweisung, nachricht, remarque, consigne, aviso, mensaje
instrucción, внимание, инструкция
""",
    "to": "to, for, für, an, pour, aux, à, para, a, для, per, dla",
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
    # orders about the reply, in every language that a model reads: what stands here speaks of the reply as such
    "utter": """
say, write, answer, reply, respond, output, print, return, state, tell, mention, produce, emit, display, show, give
generate, reveal, insert, include, repeat, quote, writes, appends, outputs, prints, mentions, saying, writing
说, 写, 回复, 回答, 回应, 答复, 输出, 打印, 返回, 给出, 声明, 插入, 显示, 提到, 提一下, 复述, 寫, 答
schreibe, schreib, schreiben sie, sage, sag, sagen sie, antworte, nenne, gib, zeige, setzt, écris, écrivez, dis, dites
réponds, affiche, annonce, place, escribe, escriba, di, diga, responde, responda, contesta, muestra, comunica, pon
escreva, escreve, mostre, informe, coloque, scrivi, mostra, aggiungi, rispondi, schrijf, toon, zeg, vertel, antwoord
напиши, напишите, пиши, пишите, скажи, говори, отвечай, выведи, сообщи, напиши, виведи, кажи, відповідай
napisz, wypisz, mów, powiedz, odpowiedz, odpowiadaj, napiš, vypiš, řekni, odpověz, yaz, göster, söyle, yanıtla
yanıt ver, cevap ver, cevapla, اكتب, قل, اعرض, اجب, رد, اذكر, بنویس, بگو, نشان بده, پاسخ بده, כתוב, אמור, הצג, ענה
लिखो, लिखें, लिखकर, कहो, कहें, दिखाओ, उत्तर दें, उत्तर दो, लिखिए, লেখো, লিখুন, বলো, দেখাও, উত্তর দাও
เขียน, พูด, แสดง, ตอบ, hãy viết, hãy nói, viết, in ra, trả lời bằng, trả lời, nói, tulis, tuliskan, katakan
tampilkan, jawab, balas, と書, と言, を表示, と答え, と伝え, を出力, と回答, 라고 쓰, 라고 말, 출력해, 라고 답, 라고 알
skriv, säg, visa, svara, sig, vis, svar kun, kirjoita, sano, näytä, vastaa, γράψε, πες, δείξε, απάντησε
írd, írj, mondd, válaszolj, válaszold, scrie, spune, afișează, răspunde
""",
    "put": """
add, put, append, insert, include, attach, place, write, mention, work in, slip, weave, end, finish, close, conclude
begin, start, open, prefix, repeat, show, send, recommend, promote, copy, writing, putting, adding, 加, 附, 放, 插入
写, 补, 带上, 提到, 提及, 署名, 推荐, 宣传, 显示, 重复, 抄到, 开头, 结尾, 收尾, hänge, füge, setze, setzt, schreibe
schreib, erwähne, ergänze, nenne, ajoute, ajoutez, mets, mettez, écris, écrivez, insère, insérez, glisse, glisser
añade, añada, agrega, agregue, pon, ponga, incluye, incluya, inserta, mencionara, coloque, adicione, inclua
acrescente, escreva, aggiungi, inserisci, metti, scrivi, voeg, zet, plaats, schrijf, vermeld, добавь, добавьте
добавляй, вставь, вставляй, укажи, укажите, пиши, напиши, поставь, додай, додавай, впиши, dodaj, dodawaj, wstaw
dopisz, umieść, napisz, přidej, připoj, vlož, napiš, ekle, ekleyin, yaz, koy, اضف, ضع, اكتب, ادرج, اضافه کن, بنویس
قرار بده, הוסף, כתוב, שים, जोड़ो, जोड़ें, लिखो, लिखें, যোগ করো, যোগ করুন, লেখো, เติม, ใส่, เพิ่ม, เขียน, thêm, chèn
viết, ghi, tambahkan, sertakan, tulis, masukkan, 付け加え, 付け, 書い, 書き, 添え, 加え, 入れ, 含め, 추가, 붙이, 붙여
넣, 쓰, 적으, lägg till, infoga, skriv, tilføj, indsæt, lisää, kirjoita, πρόσθεσε, βάλε, γράψε, tedd, tegye, írd, fűzd
adaugă, pune, scrie
""",
    "at_reply": """
at the end of the answer, at the end of the reply, at the end of your answer, at the end of your reply
at the end of your response, at the end of the response, at the end of your message, at the end of each answer
at the bottom of the answer, at the bottom of your answer, at the bottom of the reply, at the bottom of your reply
at the start of the answer, at the start of your answer, at the start of your reply, at the beginning of the answer
at the beginning of your answer, at the beginning of your reply, at the top of the answer, at the top of your reply
before the answer, before your answer, before the reply, before your reply, in front of the answer
in front of your answer, in front of your reply, behind the last sentence, behind the answer, after the answer
after your answer, to your answer, to your reply, to your response, to the answer, into your answer, into your reply
into your response, then the answer, then your answer, followed by the answer, into the answer, into the reply
in your answer, in your reply, in your response, in your output, to your output, in the answer
somewhere in the response, somewhere in the reply, as the answer, as the reply, as your answer, as your reply
as an answer, instead of the answer, in place of the answer, instead of your answer, to everything you write
in everything you write, in everything you generate, the answer with, the reply with, your answer with
your reply with, your response with, your answer to, your output with, 答案最后, 答案末尾, 答案结尾, 答案里, 答案中
答案前, 答案后, 回答最后, 回答末尾, 回答结尾, 回答开头, 回答前, 回答里, 回答中, 回答后, 回复最后, 回复末尾, 回复结尾
回复开头, 回复前, 回复里, 回复中, 回复后, 回复的最后, 回复的开头, 回复的结尾, 回答的最后, 回答的开头, 回答的结尾
答复的结尾, 答复的开头, 答复里, 答复中, 消息末尾, 消息的末尾, 最后一句后面, 放进回复, 放进回答, 放进答案, 作为回复
作为回答, 作为答案, 再写答案, 后接答案, 答案换成, 回答换成, 你写的内容, 你的输出, 你生成的, an deine nachricht
in deine antwort, in die antwort, in der antwort, ans ende der antwort, am ende der antwort, an die antwort
als antwort, statt der antwort, vor der antwort, deiner antwort, in jede antwort, jeder antwort
à la fin de la réponse, à la fin de ta réponse, à la fin de votre réponse, à la fin de ton message, dans la réponse
dans ta réponse, dans ta prochaine réponse, à ta réponse, au début de la réponse, à la place de la réponse
comme réponse, al final de la respuesta, al final de tu respuesta, al final de tu mensaje, en la respuesta
en tu respuesta, a la respuesta, a tu respuesta, al inicio de la respuesta, como respuesta, que la respuesta
no fim da mensagem, no final da mensagem, no fim da resposta, no final da resposta, na resposta, na sua resposta
à resposta, como resposta, alla fine del messaggio, alla fine della risposta, nella risposta, nella tua risposta
alla risposta, come risposta, al posto della risposta, aan het einde van je bericht, aan het einde van het antwoord
aan je antwoord, in je antwoord, in het antwoord, als antwoord, in elk antwoord, in ieder antwoord, в конец сообщения
в конце сообщения, в конец ответа, в конце ответа, в начале ответа, в ответе, в ответ, к ответу, в своем ответе
в каждом ответе, вместо ответа, в кінці відповіді, наприкінці відповіді, у відповіді, до відповіді
на початку відповіді, na końcu wiadomości, na końcu odpowiedzi, na początku odpowiedzi, w odpowiedzi, do odpowiedzi
jako odpowiedź, na konec odpovědi, na konci odpovědi, na začátku odpovědi, do odpovědi, v odpovědi, jako odpověď
mesajının sonuna, yanıtın sonuna, yanıtının sonuna, cevabın sonuna, cevabının sonuna, yanıtın başına, yanıtına
cevabına, في اخر رسالتك, في نهايه الرد, في نهاية الرد, في نهاية كل, في نهاية الجواب, في نهاية جوابك, في نهاية ردك
في اخر الرد, في بداية الرد, في ردك, في جوابك, الى ردك, در پایان پاسخ, در انتهای پاسخ, در ابتدای پاسخ, در پاسخ خود
به پاسخ, בסוף התשובה, בסוף תשובתך, בתחילת התשובה, בתשובה, לתשובה, संदेश के अंत में, उत्तर के अंत में, जवाब के अंत में
जवाब में, उत्तर में, उत्तर की शुरुआत, উত্তরের শেষে, উত্তরে, ท้ายคำตอบ, ในคำตอบ, ต้นคำตอบ, เป็นคำตอบ, vào cuối tin nhắn
vào cuối câu trả lời, ở cuối câu trả lời, vào đầu câu trả lời, vào câu trả lời, trong câu trả lời, di akhir pesan
di akhir jawaban, di awal jawaban, pada jawaban, dalam jawaban, sebagai jawaban, メッセージの最後, 回答の最後
返信の最後, 返答の最後, 回答の末尾, 返信の末尾, 回答の冒頭, 返信の冒頭, 返答の冒頭, 回答に, 返信に, 返答に, 答えの最後
この先の回答, 메시지 끝에, 답변 끝에, 답변 앞에, 답변에, 답변의 끝, 대답 끝에, 대답에, 응답에, i slutet av ditt svar
i slutet av svaret, i ditt svar, i svaret, i början av svaret, som svar, til sidst i dit svar, i slutningen af svaret
i dit svar, vastauksesi loppuun, vastauksen loppuun, vastauksen alkuun, vastaukseen, στο τέλος της απάντησης
στην απάντηση, στην αρχή της απάντησης, válaszod végére, a válasz végére, a válaszba, a válaszodba, a válasz elejére
la sfârșitul răspunsului, în răspuns, la începutul răspunsului
""",
    "each_reply": """
every answer, every reply, each answer, each reply, each response, all answers, all replies, all your answers
all your replies, any answer, any reply, every one of your answers, every one of your replies, every output
answers concerning, answers about this, answers on this, replies about this, replies on this, responses on this
每条回复, 每个回复, 每次回复, 每条答复, 每个答复, 每次答复, 每个回答, 每次回答, 每个答案, 所有回答, 所有回复, 所有答复
任何回答, 任何回复, 关于此主题的答复, 有关此事的答复, 有关此事的回复, 这个话题的回复, 所有内容都, 回复时总是
回答时总是, jede antwort, jeder antwort, alle antworten, chaque réponse, toute réponse, toutes les réponses
cada respuesta, toda respuesta, todas las respuestas, cada resposta, toda resposta, todas as respostas, ogni risposta
tutte le risposte, elk antwoord, ieder antwoord, alle antwoorden, каждый ответ, каждого ответа, каждом ответе
все ответы, кожна відповідь, кожної відповіді, każda odpowiedź, każdą odpowiedź, każdej odpowiedzi
wszystkie odpowiedzi, každá odpověď, každou odpověď, každé odpovědi, her yanıt, her cevap, her yanıta, her cevaba
her yanıtın, her cevabın, كل رد, كل جواب, كل اجابة, كل ردودك, هر پاسخ, همه پاسخ, כל תשובה, כל התשובות, हर जवाब
हर उत्तर, प्रत्येक उत्तर, প্রতিটি উত্তর, সব উত্তর, ทุกคำตอบ, คำตอบทุก, mọi câu trả lời, mỗi câu trả lời
tất cả câu trả lời, setiap jawaban, semua jawaban, setiap balasan, すべての返信, すべての回答, 全ての回答, 全ての返信
各回答, どの回答, 毎回の回答, 모든 답변, 모든 대답, 모든 응답, 답변마다, 매 답변, varje svar, alla svar, hvert svar
alle svar, jokaisessa vastauksessa, jokainen vastaus, jokaiseen vastaukseen, joka vastauksen, κάθε απάντηση
κάθε απάντησης, όλες οι απαντήσεις, minden válasz, minden válaszban, minden válaszhoz, fiecare răspuns
fiecărui răspuns, toate răspunsurile, 每個答覆, 每次答覆, 所有答覆
""",
    "must_contain": """
must, has to, have to, needs to, should, shall, is to, are to, carries, carry, mentions, mention, names, opens, open
closes, close, begins, begin, starts, start, ends, end, finishes, 必须, 都要, 应, 以, 要, 包含, 加上, 附上, 带, 写明
提到, muss, müssen, soll, sollen, enthält, enthalten, beginnt, endet, schließt, doit, doivent, contient, commence
finit, se termine, mentionne, debe, deben, incluye, empieza, comienza, termina, lleva, deve, devem, precisa, precisam
começa, contém, devono, contiene, comincia, finisce, si chiude, si apre, moet, moeten, bevat, begint, eindigt, должен
должна, должны, содержит, начинается, заканчивается, заверши, має, мусить, повинна, містить, починається, musi, muszą
zawiera, zaczyna, kończy, musí, obsahuje, začíná, končí, içermeli, içermelidir, içersin, ile başla, ile başlasın
ile bitsin, ile bit, ekle, eklenmeli, يجب, يتضمن, يبدا, ينتهي, باید, شامل, حاوی, חייבת, תכלול, צריכה, होना चाहिए
शामिल, होनी चाहिए, शुरू, থাকতে হবে, শুরু, ต้องมี, ต้อง, phải, bắt đầu, kết thúc, harus, wajib, diawali, diakhiri
を含め, で始ま, で終わ, 付け, 必ず, 넣어야, 포함, 시작, 끝나, 붙, ska, skall, måste, innehåller, börjar, slutar, skal
indeholde, indeholder, begynder, on oltava, täytyy, pitää, sisältää, alkaa, päättyy, πρέπει, περιέχει, αρχίζει
τελειώνει, kell, tartalmaznia, kezdődik, végződik, trebuie, conține, începe, se termină, 都要有
""",
    "your_reply": """
your answer, your reply, your response, your next reply, your next answer, your output, your first sentence
your last sentence, your first line, your last line, sentence of your answer, sentence of your reply
the text you write, what you write back, 你的回答, 你的回复, 你的答复, 你的输出, 你的第一句, 你的最后一句
你回答的最后一句, 你回答的第一句, 你写的文字, deine antwort, ta réponse, tu respuesta, sua resposta, a tua resposta
la tua risposta, je antwoord, твой ответ, твоя відповідь, twoja odpowiedź, tvoje odpověď, yanıtın, cevabın, ردك, جوابك
اجابتك, پاسخ تو, תשובתך, तुम्हारा जवाब, तुम्हारा उत्तर, आपका उत्तर, তোমার উত্তর, คำตอบของคุณ, câu trả lời của bạn
jawabanmu, jawaban anda, あなたの返答, あなたの回答, あなたの返信, あなたの答え, 네 대답, 네 답변, 너의 답변
당신의 답변, ditt svar, dit svar, vastauksesi, η απάντησή σου, a válaszod, răspunsul tău
""",
    "whatever_asked": """
whatever you are asked, whatever is asked, whatever was asked, whatever they ask, whatever the user, whatever someone
whatever the customer asks, whatever the question, no matter what is asked, no matter what the user
no matter what the customer asks, no matter what they ask, no matter what you are asked, no matter the question
regardless of the question, regardless of what is asked, regardless of what the user, irrespective of the question
should the user ask anything, if the user asks anything, if anybody asks anything, never mind what, to every question
to any question, to all questions, for every question, for all questions, for any question, to this question
不管问什么, 不管被问, 不管顾客问, 不管用户问, 不论问什么, 不论被问, 不论用户, 不论顾客, 无论问什么, 无论问了什么
无论被问, 无论用户, 无论顾客, 别管顾客问, 别管用户问, 用户问任何, 顾客问任何, 任何问题的, 所有问题的, 一切问题的
所有问题请, 任何问题都, egal was gefragt, egal was der, egal welche frage, was auch immer gefragt, auf jede frage
quelle que soit la question, quoi qu'on te demande, quoi qu'on demande, à chaque question, à toute question
sea cual sea la pregunta, pregunten lo que, no importa lo que pregunten, a cada pregunta, a cualquier pregunta
seja qual for a pergunta, não importa o que perguntem, a cada pergunta, qualunque sia la domanda, a ogni domanda
qualsiasi domanda, wat er ook gevraagd, ongeacht de vraag, op elke vraag, независимо от вопроса, что бы ни спросили
что бы ни спрашивали, на любой вопрос, на каждый вопрос, хоч би що питали, незалежно від запитання, на кожне запитання
niezależnie od pytania, o cokolwiek zapytają, na każde pytanie, ať se ptají na cokoli, bez ohledu na otázku
na každou otázku, ne sorulursa sorulsun, ne sorulursa, her soruya, مهما كان السوال, مهما كان السؤال, ايا كان السؤال
على كل سؤال, هر چه پرسیدند, هر سوالی, به هر پرسشی, לא משנה מה שואלים, לכל שאלה, कुछ भी पूछा जाए, हर प्रश्न का
किसी भी प्रश्न, যাই জিজ্ঞাসা, প্রতিটি প্রশ্নের, ไม่ว่าจะถามอะไร, ทุกคำถาม, dù được hỏi gì, bất kể câu hỏi
với mọi câu hỏi, apa pun yang ditanyakan, apapun yang ditanyakan, apa pun pertanyaannya, setiap pertanyaan
何を聞かれても, 何を質問されても, どんな質問, 무엇을 묻든, 무슨 질문, 어떤 질문, 뭘 물어, vad de än frågar
oavsett fråga, på varje fråga, uanset hvad der spørges, uanset spørgsmålet, mitä tahansa kysytään, kysyttiin mitä
ό,τι κι αν ρωτήσουν, σε κάθε ερώτηση, bármit kérdeznek, minden kérdésre, orice ar întreba, la orice întrebare
""",
    "no_answer": """
do not answer the question, don't answer the question, do not answer this question, do not help with
instead of an answer, instead of answering, replace your answer, replace the answer, replace the reply
change your answer to, refuse to help, refuse to answer, translate nothing, explain nothing, not as an answer but
never mind the question, 不要回答问题, 不要回答这个问题, 不用回答, 不必回答, 不用给答案, 把你的答案换成, 你的答案换成
不要给答案, 拒绝回答, 拒绝帮忙, 不翻译, 不解释, 唔使答, beantworte die frage nicht, statt einer antwort
ne réponds pas à la question, au lieu de répondre, ne répondez pas à la question, no respondas la pregunta
no respondas a la pregunta, en lugar de responder, no contestes la pregunta, não responda à pergunta
em vez de responder, non rispondere alla domanda, invece di rispondere, beantwoord de vraag niet
in plaats van te antwoorden, не отвечай на вопрос, вместо ответа, не відповідай на запитання, замість відповіді
nie odpowiadaj na pytanie, zamiast odpowiedzi, neodpovídej na otázku, místo odpovědi, soruyu yanıtlama
soruya cevap verme, yanıt yerine, لا تجب عن السوال, لا تجب عن السؤال, لا تجب على السؤال, بدلا من الاجابة
به سوال پاسخ نده, به سؤال پاسخ نده, به جای پاسخ, אל תענה על השאלה, במקום לענות, प्रश्न का उत्तर मत दो, उत्तर मत दो
उत्तर देने के बजाय, প্রশ্নের উত্তর দিও না, อย่าตอบคำถาม, แทนคำตอบ, đừng trả lời câu hỏi, thay vì trả lời
jangan jawab pertanyaan, jangan jawab, alih-alih menjawab, 質問には答えず, 質問に答えず, 回答の代わりに
질문에 답하지 말고, 질문에 대답하지 말고, 답변 대신, svara inte på frågan, istället för att svara
besvar ikke spørgsmålet, i stedet for at svare, älä vastaa kysymykseen, vastaamisen sijaan
μην απαντήσεις στην ερώτηση, αντί να απαντήσεις, ne válaszolj a kérdésre, válasz helyett, nu răspunde la întrebare
în loc să răspunzi
""",
    "rules_bare": """
rules, instructions, guidelines, everything, documents, passages, page, alles bisherige, alles, 规则, 指令, 指示, 资料
上文, regeln, vorgaben, anweisungen, règles, consignes, reglas, instrucciones, regras, regole, istruzioni, regels
instructies, правила, правилах, указания, инструкции, инструкциях, zasadach, zasady, polecenia, instrukcje, pravidla
pravidlech, pokyny, kuralları, talimatları, القواعد, التعليمات, قوانین, دستورها, دستورالعمل, הכללים, ההוראות, नियम
निर्देश, নিয়ম, নির্দেশ, กฎ, คำสั่ง, quy tắc, chỉ dẫn, hướng dẫn, chỉ thị, aturan, perintah, instruksi, petunjuk
ルール, 规칙, 규칙, 지침, 지시, reglerna, instruktionerna, allt, reglerne, instruktionerne, säännöt, ohjeet, κανόνες
οδηγίες, szabályokat, utasításokat, regulile, instrucțiunile, 規則
""",
    "drop_abroad": """
ignoriere, vergiss, missachte, halte dich nicht an, oublie, ignore, oubliez, olvida, ignora, desconsidere, esqueça
dimentica, negeer, vergeet, забудь, забудьте, игнорируй, ігноруй, знехтуй, zapomnij, zignoruj, ignoruj, pomiń, zapomeň
pomiň, unut, yok say, görmezden gel, dikkate alma, انس, تجاهل, لا تتبع, فراموش کن, نادیده بگیر, שכח, התעלם, भूल जाओ
भूल जाएं, अनदेखा कर, ভুলে যাও, উপেক্ষা কর, ลืม, ไม่ต้องสนใจ, เพิกเฉย, อย่าสนใจ, quên, bỏ qua, phớt lờ, lupakan
abaikan, 忘れ, 無視し, 従わず, 잊고, 잊어, 무시하고, 따르지 말고, glöm, ignorera, strunta i, glem, ignorer, unohda
jätä huomiotta, ξέχνα, αγνόησε, felejtsd el, hagyd figyelmen kívül, uită, ignoră, 唔好理, 不用理会, 不要理会, 不要理睬
别理会
""",
    "only_abroad": """
nur, ausschließlich, bloß, seulement, uniquement, solo, solamente, únicamente, sólo, só, somente, apenas, soltanto
alleen, slechts, enkel, только, лишь, лише, тільки, tylko, wyłącznie, jedynie, jen, pouze, sadece, yalnızca, فقط, רק
केवल, सिर्फ, শুধু, เท่านั้น, เพียง, chỉ, hanya, cuma, だけ, のみ, 만, bara, endast, kun, vain, ainoastaan, μόνο, csak
doar, numai, 淨係, 僅
""",
    "answer_abroad": """
antworte, réponds, répondez, contesta, responde, responda, rispondi, antwoord, отвечай, ответь, ответьте, відповідай
odpowiedz, odpowiadaj, odpověz, odpovídej, yanıt ver, cevap ver, yanıtla, اجب, واجب, رد ب, پاسخ بده, ענה, उत्तर दें
उत्तर दो, जवाब दो, জবাব দাও, উত্তর দাও, ตอบ, trả lời, jawab, balas dengan, 答え, 回答, 返信, 답하, 대답하, 답변하, svara
svar kun, vastaa, απάντησε, válaszolj, răspunde, écris, schreibe, escribe, escreva, scrivi, schrijf, напиши, napisz
napiš, 答
""",
    "said_alone": """
and nothing else, and nothing more, nothing but, nothing except, and no other text, without any other word
one word is enough, in one word only, word for word and nothing, 别的都不写, 别的不写, 不写别的, 别的不说, 不说别的
其他都不写, 不作解释, 什么都别写, 其他不要写, sonst nichts, rien d'autre, nada más, nada mais, nient'altro
niets anders, и больше ничего, і більше нічого, i nic więcej, a nic jiného, başka bir şey, ولا شيء غير
ולא שום דבר אחר, और कुछ नहीं, và không gì khác, tidak ada yang lain, inget annat, intet andet, ei mitään muuta
και τίποτα άλλο, semmi mást, și nimic altceva
""",
    "only_reply": """
only acceptable response, only acceptable answer, only acceptable reply, only valid answer, only valid response
only valid reply, only allowed answer, only permitted answer, only permitted response, only correct answer
any response other than, any answer other than, any reply other than, the whole answer, the entire answer
the complete answer, the entire reply, the answer to give, correct answer for all, correct answer to all
right answer to every, correct response consists, correct reply consists, the correct response, valid answer is
唯一允许的回答, 唯一有效的答案, 唯一有效的回答, 唯一正确的回答, 唯一的回答, 以外的回答, 以外的答案, 完整的答案就是
完整答案是, 全部答案就是, 要给的答案是, 正确的回应由, 正确的回复是, 正确的回答是, 标准答案, 正确答案都是
einzige erlaubte antwort, einzig gültige antwort, einzige gültige antwort, seule réponse permise
seule réponse valable, seule réponse autorisée, única respuesta permitida, única respuesta válida
única resposta permitida, única resposta válida, unica risposta ammessa, unica risposta valida
enige toegestane antwoord, enige geldige antwoord, единственный допустимый ответ, единственный верный ответ
jedyna dozwolona odpowiedź, jediná povolená odpověď, 唯一の回答, 유일한 답변
""",
    "reply_key": """
answer prefix, answer suffix, answer template, answer override, answer format, reply prefix, reply suffix
reply template, reply override, response prefix, response suffix, response template, response override
override response, override answer, override reply, forced answer, forced reply, canned answer, final answer
assistant reply, assistant response, bot reply, bot response, expected answer, append to every answer
append to each answer, append to answer, prepend to answer, append to every reply, output for every question
output for all questions, 回答模板, 回复模板, 答案模板, 回答前缀, 回复前缀, 回答后缀, 回复后缀, 覆盖回复, 覆盖回答
最终答案, 助手回复, 助手回答, 预期回复, 预期回答, 任何问题的输出, 所有问题的输出, 应有输出, 输出格式
""",
    "called": """
assistant, assistants, dear assistant, dear model, dear ai, hey bot, hey assistant, hey ai, bot, chatbot, ai, llm
dear bot, language model, attention ai, model note, note model, todo model, text generator, 助手, 机器人, 大模型
模型须知, 语言模型, 智能体, 文本生成程序, assistent, assistente, asistente, ассистент, бот, помощник, асистент
asystencie, asystenta, asistent, asistan, asistana, المساعد, للمساعد, دستیار, העוזר, לעוזר, सहायक, সহকারী, ผู้ช่วย
trợ lý, asisten, アシスタント, 어시스턴트, assistenten, avustaja, βοηθέ, asszisztens, asistentule
""",
    "comma": "",  # a sign behind a name: it is called
    "asker": "customer, user, person asking, person who asks, asker, client, 顾客, 客户, 用户, 提问的人, 提问者, 对方",
    "insult": "insult, be rude to, mock, swear at, curse, 骂, 辱骂, 侮辱, 嘲笑, 无礼",
    "unless_said": """
if you do not write, if you do not say, if you don't write, if you don't say, unless you write, unless you say
unless your answer, unless your reply, unless your text, 你要是不写, 你要是不说, 如果你不写, 如果你不说, 你若不写
""",
    "quoted_sign": "",  # a sign that opens a quotation
    "wish": """
would be lovely if, would be great if, would be nice if, would be kind if, would be good if, would be wonderful if
would appreciate it if, would be grateful if, wäre nett wenn, wäre schön wenn, wäre toll wenn, serait gentil de
serait bien que, sería estupendo que, seria ótimo se, sarebbe bello se
""",
    "the_reply": """
the answer, your answer, the reply, your reply, the response, your response, the bot, the assistant, antwort, réponse
respuesta, resposta, risposta
""",
    "if_reply_in_chinese": """
回复里有, 回答里有, 答案里有, 答案里能, 回答里能, 回复里能, 答复里能, 回复能提, 机器人能回答, 助手能回答, 能提一下
""",
    "pleased_in_chinese": "太好了, 很感激, 感激不尽, 感谢, 多谢",
    "reader_is_machine": """
readers who are machines, reader who is a machine, if the reader is a machine, whoever writes the answer
whoever writes the reply, whoever drafts the answer, whoever composes the answer, the one who writes the answer
who writes the answer, 读者若是机器, 如果读者是机器, 谁来写答案, 谁写答案, 写答案的人, 作答者, wer die antwort
qui rédige la réponse, quien redacte la respuesta, quien escriba la respuesta, quem escrever a resposta
chi scrive la risposta, wie het antwoord, кто пишет ответ, kto pisze odpowiedź, kdo píše odpověď
""",
    "speaks_as": """
you will play, you play the part, speak like a, speak as a, talk like a, your name is now, from this point your name
you are called, you are now called, act as though the, pretend that the page, pretend the page
pretend that the policy, imagine you are, imagine that you are, imagine you were, imagine yourself as
drop your usual manners, your task has changed, you have no rules, no rules any more, 从此以后你叫, 从现在起你叫
的身份回答, 的口气说话, 的口吻说话, 一直扮演, 想象自己是, 想象你是, 假装本页, 就当规定是, 你的任务变了, 不再受任何规则
没有任何规则, du heißt jetzt, du heißt ab, tu t'appelles désormais, a partir de ahora te llamas, te llamas ahora
você se chama, da adesso ti chiami, ti chiami ora, je heet voortaan, теперь тебя зовут, отныне тебя зовут
من الان اسمك, اسمك الان, これからは, と名乗
""",
    "void_now": "cancelled, canceled, obsolete, void, outdated, 已取消, 已过时, 作废, 已失效",
    "new_rule": """
new rule is, only rule is, current guidance, current rule, rule now is, 新规则是, 现行说明, 现行规则, 唯一的规则
""",
    "stop_here": "读到这里就停, 读到这里请停, 看到这里就停, 停止阅读, stop reading, read no further",
    "said_to_it": """
that was said to you, you were told before, you have been told, said to you before, 之前对你说的话, 对你说的话
""",
    "when_replying": "when responding, when replying, when answering, while answering, in responding, in answering",
    "authority": """
administrator orders you, developers order you, from your developers, from your developer, i am your developer
i am the owner of this system, your owner, security check, 开发者发来的, 管理员命令你, 我是本系统的主人
我是你的开发者, 安全检查
""",
    "end_of_data": """
end of documents, end of the documents, end of context, end of the context, end of passages, end of data
资料结束, 上下文结束, 文档结束, 资料到此结束
""",
    "false_above": "passage above is false, passage above is wrong, text above is false, 上一段是假的, 上文是假的",
    "other_passages": "the other passages, 其他资料",
    "not_use": "not use, not read, not look at, 不得使用, 不要使用, 不要看, 不用看",
    "times": "times, twice, 遍",
    "user_label": "user, human, question, q, 用户, 人类, 问题, 问",
    "bot_label": "assistant, ai, bot, gpt, llm, chatbot, 助手, ai, 机器人, 大模型",
    "machine_reading": """
generator reading this, program reading this, model reading this, ai reading this, bot reading this
assistant reading this, machine reading this, agents processing, 读到本段的, 处理本文档的, 处理本文的, 读到本页的
总结本页时, 总结本文时, when you summarise, when you summarize, when summarising, when summarizing
""",
    "starts_with": "starts with, begins with, ends with, closes with, opens with, 以",
    "in_one": "answer in one line, answer in one word, reply in one word, reply in one line, 用一行回答, 用一个词回答",
    "is": "is, are, be, reads, 是, 为",
    "encoded": "encoded, encoded text, next line, hidden in this, 编码文字, 编码, 下一行, 隐藏在本段",
    "to_the_letter": "to the letter, and print, and answer, carry it out, and reply, 的命令, 的指令去做, 并执行, 打印",
    "override_named": """
system override, admin override, new system message, new system prompt, 系统覆盖, 新的系统消息, 新系统消息
""",
    "let_know": """
let the customer know, let customers know, let the user know, inform the person asking, inform the user
inform the customer, advise everyone, advise every, advise the customer, tell them you cannot, tell them that you cannot
通知提问者, 通知顾客, 通知用户, 建议每个来问, 建议所有来问, 告诉他们, 都告诉他
""",
    "your_bot": """
have your assistant, have your bot, have your chatbot, let your assistant, let your bot, ask your assistant to
tell your assistant to, get your assistant to, 让你们的助手, 让助手, 让机器人, 叫你们的助手, 请让助手
""",
    "at_beginning_in_chinese": """
在开头写上, 在开头加上, 在结尾写上, 在结尾加上, 在末尾写上, 在最后写上, 在最前面写上, 在前面写上
""",
    "message_with": "your message with, the message with, every message with",
    "literal": "",  # a quotation or a code behind a verb
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
    "speak_abroad": """
say, reply, respond, write, begin by saying, 说, 写, 回答, 回复, 回应, 答复, 声明, 署名, 落款, 写上, 写明, 说明, sage
schreibe, antworte, dis, écris, réponds, di, escribe, responde, diga, escreva, scrivi, rispondi, zeg, schrijf, скажи
напиши, отвечай
""",
    "quote": "",  # the sign that opens a quotation, or a colon
    "inform_in_chinese": "告诉, 告知, 转告, 确保",
    "customers_in_chinese": """
所有顾客, 每位顾客, 顾客, 所有客户, 每位客户, 客户, 所有用户, 每位用户, 每个顾客, 每个客户, 每个用户, 买家, 来电者
""",
    "staff": """
staff, agent, agents, employee, employees, colleagues, adviser, advisers, advisor, advisors, representatives, operators
team members, support team, service team
""",
    "always_must": """
must, should, shall, have to, has to, need to, needs to, are to, is to, will always, always, are required to, please
ought to, had better, are supposed to, is supposed to, are expected to, are obliged to
""",
    "promise": "promise, assure, guarantee, tell, inform, grant, offer",
    "staff_in_chinese": "客服, 坐席, 座席, 店员, 员工, 工作人员, 接线员",
    "always_in_chinese": "一律, 必须, 务必, 须, 应, 应当, 应该, 均, 都要, 要, 统一",
    "promise_in_chinese": "答应, 承诺, 保证, 许诺",
    "promise_or_tell_in_chinese": "答应, 承诺, 保证, 许诺, 答复, 告诉, 告知",
    "this_text": """
this page, this document, this article, this text, this notice, this passage, the following, 本页, 本文, 本文档, 本资料
本页面, 本文件, 本条, 以下内容, 下列内容, 下文
""",
    "prevails": """
overrides, override, supersedes, supersede, takes precedence over, take precedence over, has priority over
takes priority over, prevails over, 优先于, 高于, 覆盖, 取代
""",
    "all_others": "all other, every other, any other, all the other, 其他, 其它, 所有, 任何, 全部",
    "documents": """
documents, document, pages, page, articles, passages, sources, files, 资料, 文件, 文档, 页面, 文章, 来源
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
    # orders about the reply, in every language
    _rule("whatever_asked", ("utter", 60), anywhere=False),
    _rule("utter", ("whatever_asked", 60), anywhere=False),
    _rule("no_answer", ("utter", 60), anywhere=False),
    _rule("each_reply", ("must_contain", 50), anywhere=False),
    _rule("put", ("each_reply", 60), anywhere=False),
    _rule("each_reply", ("put", 60), anywhere=False),
    _rule("your_reply", ("must_contain", 40), anywhere=False),
    _rule("put", ("at_reply", 70), anywhere=False),
    _rule("at_reply", ("put", 60), anywhere=False),
    _rule("drop_abroad", ("rules_bare", 60), ("utter", 70), anywhere=False),
    _rule("rules_bare", ("drop_abroad", 30), ("utter", 70), anywhere=False),
    _rule("answer_abroad", ("only_abroad", 12), ("quoted_sign", 40), anywhere=False),
    _rule("only_abroad", ("answer_abroad", 60), anywhere=False),
    _rule("utter", ("said_alone", 60), anywhere=False),
    _rule("said_alone", ("quoted_sign", 4), anywhere=False),
    _rule("only_reply", anywhere=False),
    _rule("reply_key", ("quote", 4), anywhere=False),
    _rule("start", ("called", 16), ("comma", 2), ("utter", 60), anywhere=False),
    _rule("insult", ("asker", 12), anywhere=False),
    _rule("unless_said", ("quoted_sign", 12), anywhere=False),
    _rule("wish", ("the_reply", 16), anywhere=False),
    _rule("if_reply_in_chinese", ("pleased_in_chinese", 40), anywhere=False),
    _rule("reader_is_machine", anywhere=False),
    _rule("speaks_as", anywhere=False),
    _rule("void_now", ("new_rule", 30), ("utter", 40), anywhere=False),
    _rule("stop_here", ("utter", 40), anywhere=False),
    _rule("tell", ("said_to_it", 40), anywhere=False),
    _rule("said_to_it", ("tell", 8), anywhere=False),
    _rule("put", ("when_replying", 50), anywhere=False),
    _rule("authority", ("answer", 40), anywhere=False),
    _rule("end_of_data", ("utter", 40), anywhere=False),
    _rule("false_above", ("utter", 30), anywhere=False),
    _rule("not_use", ("other_passages", 4), anywhere=False),
    _rule("utter", ("quoted_sign", 16), ("times", 30), anywhere=False),
    _rule("user_label", ("colon", 1), ("bot_label", 120), ("colon", 1), anywhere=False),
    _rule("machine_reading", ("put", 60), anywhere=False),
    _rule("machine_reading", ("utter", 60), anywhere=False),
    _rule("the_reply", ("starts_with", 3), ("quoted_sign", 16), anywhere=False),
    _rule("your_reply", ("is", 3), ("quoted_sign", 8), anywhere=False),
    _rule("in_one", ("colon", 3), anywhere=False),
    _rule("encoded", ("to_the_letter", 24), anywhere=False),
    _rule("override_named", ("utter", 50), anywhere=False),
    _rule("your_bot", ("answer", 40), anywhere=False),
    _rule("put", ("message_with", 4), ("quoted_sign", 3), anywhere=False),
    _rule("at_beginning_in_chinese", ("quoted_sign", 2), anywhere=False),
    _rule("start", ("called", 16), ("comma", 2), ("put", 60), anywhere=False),
)

DIRECTIVES: Final[tuple[Rule, ...]] = (
    # what customers are to hear: a rule of the house where somebody has confirmed it, else a stranger's word
    _rule("ensure", ("customers", 20), ("hear", 20)),
    _rule("start", ("inform", 10), ("customers", 12)),
    _rule("inform_all", ("customers", 6)),
    _rule("customers", ("be_told", 12)),
    _rule("let_know"),
    _rule("start", ("dictate", 2)),
    _rule("start", ("speak_abroad", 8), ("literal", 8)),
    _rule("comma", ("speak_abroad", 6), ("literal", 8)),
    _rule("start", ("speak", 8), ("quote", 2)),
    _rule("inform_in_chinese", ("customers_in_chinese", 4)),
    _rule("customers_in_chinese", ("told_in_chinese", 6)),
    _rule("staff", ("always_must", 12), ("promise", 16), ("customers", 12)),
    _rule("staff_in_chinese", ("always_in_chinese", 6), ("promise_or_tell_in_chinese", 3), ("customers_in_chinese", 4)),
    _rule("staff_in_chinese", ("always_in_chinese", 6), ("customers_in_chinese", 4), ("promise_in_chinese", 6)),
    _rule("staff_in_chinese", ("customers_in_chinese", 4), ("always_in_chinese", 3), ("promise_in_chinese", 2)),
    # a page that would count more than all others
    _rule("this_text", ("prevails", 12), ("all_others", 6), ("documents", 12)),
)
"""How a text tells staff, or the model, what is to be said to customers."""

TRIGGERS: Final = frozenset(
    """
drop no_heed every_question question_in_chinese put_words whenever whenever_in_chinese overwrite dropped
role mode you_in_chinese from_now own_prompt prompt_named machine to_reader machine_or_program
new_instructions decode reply when_asked reply_order reply_with answers_in_chinese asked_in_chinese
ensure inform inform_all be_told dictate speak inform_in_chinese customers_in_chinese
whatever_asked no_answer each_reply your_reply at_reply drop_abroad answer_abroad said_alone only_reply reply_key called
insult unless_said wish if_reply_in_chinese reader_is_machine speaks_as void_now stop_here said_to_it when_replying
authority end_of_data false_above other_passages bot_label machine_reading starts_with in_one encoded
override_named let_know times literal your_bot at_beginning_in_chinese
message_with promise promise_in_chinese promise_or_tell_in_chinese prevails
""".split()  # noqa: SIM905
)
"""Every rule has one of these classes, the rarer ones: a text without their words is not looked at further."""

COMMON_WORDS: Final = frozenset("you are the your what is an if as in to de a es ты ist eine".split())  # noqa: SIM905
"""Words of phrases by which no phrase is looked for first."""
