"""OpenVINO without its telemetry.  Import ``ov`` and ``opset13`` from here: no other module may import ``openvino``.

``import openvino`` reports each import to Google Analytics and keeps a client id in the home folder, without asking
(2026.4, ``openvino/tools/ovc/__init__.py``).  Where its reporter cannot be imported, it takes a stub that does nothing.
"""

import sys

sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # makes its import fail, also where it is installed

import openvino as ov  # noqa: E402
from openvino import opset13  # noqa: E402

__all__ = ["opset13", "ov"]
