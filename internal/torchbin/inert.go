package torchbin

// inert are the classes and functions, by module, of what trainers keep beside tensors. Of an object only what the pickle
// gives it can be read; none is made or called.
var inert = map[string][]string{
	// Python
	"argparse":    {"Namespace"},
	"pathlib":     {"Path", "PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath"},
	"collections": {"defaultdict", "Counter", "deque"},
	"datetime":    {"timedelta", "datetime"},
	"signal":      {"Signals"},
	"typing":      {"Any", "Union", "Optional", "List", "Dict"},
	"_io":         {"BytesIO"},
	"_codecs":     {"encode"}, // how protocol 2 has bytes
	"__builtin__": plainTypes,
	"builtins":    plainTypes,

	// torch and numpy
	"torch.distributed.checkpoint.metadata": {
		"Metadata", "TensorStorageMetadata", "BytesStorageMetadata", "TensorProperties", "ChunkStorageMetadata",
		"MetadataIndex", "StorageMeta", "_MEM_FORMAT_ENCODING",
	},
	"torch.distributed.checkpoint.filesystem": {"_StorageInfo"},
	"torch.serialization":                     {"_get_layout"},
	"torch":                                   {"memory_format", "Tensor"},
	"numpy":                                   {"dtype", "ndarray"},
	"numpy.core.multiarray":                   {"_reconstruct", "scalar"},
	"numpy._core.multiarray":                  {"_reconstruct", "scalar"},

	// DeepSpeed
	"deepspeed.runtime.fp16.loss_scaler": {"LossScaler", "DynamicLossScaler"},
	"deepspeed.runtime.zero.config":      {"ZeroStageEnum"},
	"deepspeed.utils.tensor_fragment":    {"fragment_address"},

	// Lightning, which named the states of its callbacks by their classes, and its hyperparameters
	"lightning.fabric.utilities.data":              {"AttributeDict"},
	"lightning_fabric.utilities.data":              {"AttributeDict"},
	"pytorch_lightning.utilities.parsing":          {"AttributeDict"},
	"pytorch_lightning.callbacks.model_checkpoint": {"ModelCheckpoint"},
	"pytorch_lightning.callbacks.early_stopping":   {"EarlyStopping"},
	"omegaconf.base":                               {"ContainerMetadata", "Metadata"},
	"omegaconf.dictconfig":                         {"DictConfig"},
	"omegaconf.listconfig":                         {"ListConfig"},
	"omegaconf.nodes": {
		"AnyNode", "StringNode", "IntegerNode", "FloatNode", "BooleanNode", "EnumNode", "BytesNode", "PathNode", "InterpolationResultNode",
	},

	// Megatron
	"megatron.core.enums":               {"ModelType", "Fp8Recipe", "Fp4Recipe"},
	"megatron.core.rerun_state_machine": {"RerunDiagnostic", "RerunMode", "RerunState", "RerunValidationStatus"},
	"megatron.core.inference.config": {
		"PrefixCachingEvictionPolicy", "PrefixCachingCoordinatorPolicy", "KVCacheManagementMode", "CudaGraphSizingDistribution", "AsyncScheduleMode",
	},
	"megatron.core.transformer.enums": {
		"ModelType", "LayerType", "AttnType", "AttnMaskType", "AttnBackend", "CudaGraphModule", "CudaGraphScope", "InferenceCudaGraphScope",
	},
	"megatron.model.enums":            {"ModelType", "LayerType", "AttnType", "AttnMaskType", "PositionEmbeddingType"},
	"megatron.legacy.model.enums":     {"ModelType", "LayerType", "AttnType", "AttnMaskType", "PositionEmbeddingType"},
	"megatron.training.checkpointing": {"CheckpointType"},
}

// plainTypes are those types of Python that hold values alone.
var plainTypes = []string{"set", "frozenset", "list", "tuple", "dict", "int", "float", "complex", "bool", "str", "bytes", "bytearray", "slice", "object"}
