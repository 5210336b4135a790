"""The words by which a clause asks for something, in both languages, as alternatives of a regular expression."""

ENGLISH_QUESTION_WORDS = "how|what|which|when|where|who|whose|why"
"""For small letters, and between word borders."""

CHINESE_QUESTION_WORDS = (
    r"多少|多久|多长|多大|几|怎么|怎样|如何|什么|啥|哪|谁|吗|么\b|呢|是否|能不能|要不要|可不可以|可以不|有没有|会不会"
)
