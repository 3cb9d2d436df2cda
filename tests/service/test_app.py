import subprocess
import sys


def test_the_web_process_loads_neither_torch_nor_a_decoder() -> None:
    program = (
        "import sys, service.app, service.launch, service.openapi\n"
        "print(sorted({'torch', 'cv2', 'av', 'transformers'} & sys.modules.keys()))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"
