"""Graphs whose products are in whole numbers, scaled by what comes."""

from pathlib import Path

from pointaction.errors import MissingExtra
from pointaction.whole import written_whole


def write_int8_graph(graph: Path, path: Path) -> None:
    """Make one of an exported graph; how far it is from that depends on the clip.

    Its metadata are the graph's, with `arithmetic` int8. Raises MissingExtra without ONNX Runtime.
    """
    try:
        import onnx
        from onnxruntime.quantization import QuantType, quantize_dynamic
    except ImportError:
        raise MissingExtra("int8", "onnx") from None

    proto = onnx.load(graph)
    about = {each.key: each.value for each in proto.metadata_props}
    del proto.graph.value_info[:]  # has weights in the shape before they are transposed
    # So that it does not ask for what the exporter has done.
    onnx.helper.set_model_props(proto, {"onnx.quant.pre_process": "onnxruntime.quant"})
    with written_whole(path) as written:
        # Weights of seven bits: without VNNI, pairs of products of eight overflow.
        quantize_dynamic(
            proto,
            written,
            op_types_to_quantize=["MatMul"],  # it takes the standard's attention for its own
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
        )
        quantised = onnx.load(written)
        onnx.helper.set_model_props(quantised, about | {"arithmetic": "int8"})
        onnx.save(quantised, written)
