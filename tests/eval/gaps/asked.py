"""Questions of an invented shop that its knowledge base does not answer: by topic, in both languages, as typed."""

ASKED_BY_TOPIC: dict[str, tuple[str, ...]] = {
    "gift cards": (
        "Do you sell gift cards?",
        "can i buy a gift voucher for my sister",
        "你们有礼品卡卖吗？",
        "想买一张礼品卡送人，怎么买",
    ),
    "trade-in": (
        "Do you take my old vacuum in part exchange?",
        "is there a trade-in programme for used robots",
        "旧的扫地机可以以旧换新吗",
        "以旧换新怎么折价？",
    ),
    "student discount": (
        "is there a student discount?",
        "I'm at uni, do students get money off",
        "学生有优惠吗？",
        "大学生购买可以打折吗",
    ),
    "night delivery": (
        "can you deliver after 8pm?",
        "Is evening delivery possible, I work until seven",
        "晚上八点以后可以送货吗",
        "能不能安排晚间配送？",
    ),
    "instalments": (
        "Can I pay in instalments?",
        "pay monthly with klarna?",
        "可以分期付款吗？",
        "支持花呗分期吗，分几期",
    ),
    "showroom": (
        "Do you have a showroom where I can see the kettle?",
        "where is your nearest shop, I'd like to try one before I buy",
        "你们有实体店吗，想去看看实物",
        "线下门店在哪里？",
    ),
    "jobs": (
        "Are you hiring?",
        "do you have any vacancies in customer support",
        "你们公司还招人吗？",
        "想应聘客服岗位，怎么投简历",
    ),
    "engraving": (
        "Can you engrave a name on the bottle?",
        "personalised engraving available?",
        "保温杯可以刻字吗？",
        "能在杯子上刻名字吗",
    ),
    "smart home": (
        "does the lock work with Apple Home?",
        "Can I add the lock to HomeKit",
        "门锁支持苹果 HomeKit 吗",
        "能不能把门锁接入苹果家庭？",
    ),
    "price match": (
        "Do you price match other shops?",
        "I saw it cheaper elsewhere, will you match the price",
        "别家更便宜，可以按他们的价格卖给我吗",
        "有价格保障吗，买贵了退差价吗？",
    ),
    "wholesale": (
        "we'd like to order 200 pieces, is there a wholesale price?",
        "bulk order discount for our company",
        "我们公司要批量采购，有批发价吗？",
        "买两百台有没有企业团购价",
    ),
    "recycling": (
        "How do I dispose of the old battery?",
        "where can I recycle used batteries",
        "旧电池怎么处理？",
        "废旧电池去哪里回收",
    ),
}
"""The questions of one topic ask for the same article."""
