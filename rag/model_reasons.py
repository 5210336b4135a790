"""Why a model or its file cannot be used as was asked: what ``rag.errors.ModelUnfit`` says, in both languages."""

from collections.abc import Mapping

MODEL_REASONS: Mapping[str, tuple[str, str]] = {
    "no_file": ("it cannot be read ({what})", "无法读取（{what}）"),
    "not_absolute": (
        "name the whole path on this server, from its root on",
        "请填写服务器上的完整路径（从根目录开始）",
    ),
    "no_gguf": ("it is not a GGUF file", "不是 GGUF 文件"),
    "version": ("GGUF version {what} is not known here", "不支持 GGUF 版本 {what}"),
    "damaged": ("its header is damaged; download it again", "文件头已损坏，请重新下载"),
    "cut_off": (
        "the file is cut off, {what} bytes are missing; download it again",
        "文件不完整，缺少 {what} 字节，请重新下载",
    ),
    "split": (
        "it is one of {what} parts; join them with: llama-gguf-split --merge FIRST.gguf WHOLE.gguf",
        "这是 {what} 个分卷之一，请先合并：llama-gguf-split --merge 首个分卷.gguf 合并后.gguf",
    ),
    "is_adapter": (
        "it is an adapter, not a model; attach it with: python -m rag.ollama adapter MODEL --adapter FILE --as NEW",
        "这是适配器而非模型，请使用：python -m rag.ollama adapter 模型 --adapter 文件 --as 新名称",
    ),
    "is_projector": ("it is the eyes of a model, not a model", "这是视觉投影文件，不是模型"),
    "is_embedder": ("it makes vectors, it does not answer", "这是向量模型，不能生成回答"),
    "no_weights": (
        "the folder holds no config.json with *.safetensors beside it",
        "文件夹中没有 config.json 和 *.safetensors 文件",
    ),
    "no_template": (
        "it has no chat template, and without one a model answers nonsense; name its format: --template {what}",
        "它没有对话模板，缺少模板的模型会胡乱回答；请用 --template {what} 指定格式",
    ),
    "installed_without_template": (
        "it has no chat template, and without one a model answers nonsense; import its file anew with --template",
        "它没有对话模板，缺少模板的模型会胡乱回答；请用 --template 重新导入模型文件",
    ),
    "no_format": (
        "it has no chat template, and without one a model answers nonsense; choose its chat format",
        "它没有对话模板，缺少模板的模型会胡乱回答；请选择对话格式",
    ),
    "kind": (
        "{what} cannot be made here; possible are q8_0, q4_K_M and q4_K_S",
        "不支持量化为 {what}，可选 q8_0、q4_K_M 和 q4_K_S",
    ),
    "quantized": (
        "it is quantized already ({what}), and again would only lose more; take the F16 or BF16 of the same model",
        "它已是量化模型（{what}），再次量化只会损失更多；请使用同一模型的 F16 或 BF16 版本",
    ),
    "f32": (
        "Ollama cannot quantize F32; convert it to F16 or BF16 first",
        "Ollama 不能量化 F32 模型，请先转换为 F16 或 BF16",
    ),
    "unquantized": (
        "it is {what}, not quantized: there is nothing to reconstruct",
        "它是 {what}，未经量化，无需还原",
    ),
    "no_adapter": ("it is not a LoRA adapter", "不是 LoRA 适配器"),
    "adapter_folder": (
        "the folder holds no adapter_config.json with adapter_model.safetensors beside it",
        "文件夹中没有 adapter_config.json 和 adapter_model.safetensors",
    ),
    "other_architecture": (
        "the adapter was made for another kind of model ({what})",
        "该适配器适用于另一种模型（{what}）",
    ),
    "adapter_format": (
        "Ollama reads adapters of {what} models only as GGUF; convert it with llama.cpp's convert_lora_to_gguf.py",
        "{what} 模型的适配器须为 GGUF 格式，请用 llama.cpp 的 convert_lora_to_gguf.py 转换",
    ),
    "name": (
        "no name for a model; letters, digits, . _ - and one colon may be used",
        "不能作为模型名称，只能使用字母、数字、. _ - 和一个冒号",
    ),
    "taken": (
        "a model of this name is installed; choose another name, or delete it first",
        "已有同名模型，请换一个名称或先删除它",
    ),
    "stand_in_name": (
        "it is made from a stand-in, so its name must begin with stand-in: as well",
        "它由替代模型制成，名称也必须以 stand-in: 开头",
    ),
    "not_confirmed": (
        "not deleted; confirm with --yes where nobody can be asked",
        "未删除；无法询问时请加 --yes 确认",
    ),
    "not_typed": ("type its name to delete it", "请输入该模型的名称以确认删除"),
    "shape": ("its header does not say how it is built ({what})", "文件头缺少结构信息（{what}）"),
    "blob": (
        "its file {what} cannot be read from here; run this on the machine and as the user of Ollama",
        "无法读取其文件 {what}，请在 Ollama 所在机器上以同一用户运行",
    ),
}
