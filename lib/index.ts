export type { Adapter, AdapterInfo } from './adapters/adapter.js';
export type { Combine } from './adapters/combine.js';
export { Embedding, type EmbeddingInfo } from './adapters/embedding.js';
export type { EmbedsScaling } from './adapters/embeds-scaling.js';
export type { EncodeOptions } from './adapters/encode-options.js';
export type { Box, FaceReference } from './adapters/face-reference.js';
export type { NegativeNoise } from './adapters/negative.js';
export type { AddAdapterOptions } from './adapters/options.js';
export type { GivenFace, Reference, ReferenceSource } from './adapters/reference.js';
export type { BlockScale, Scale, ScaleByBlock } from './adapters/scales.js';
export type { Variant } from './adapters/variants.js';
export type { WeightType } from './adapters/weight-types.js';
export type { WindowMode } from './adapters/window.js';
export type { ControlNet, ControlNetInfo } from './controls/control-net.js';
export type { AddControlNetOptions, Control } from './controls/options.js';
export type { ControlMode } from './controls/strengths.js';
export { convert, merge } from './convert/convert.js';
export type { ConvertEvent, ConvertOptions, ConvertResult, MergeLora } from './convert/options.js';
export {
  AbortError,
  BinaryError,
  DeviceError,
  type ErrorCode,
  type ErrorDetails,
  FaceError,
  ImageInputError,
  InternalError,
  IpAdapterError,
  JobError,
  ModelFileError,
  ModelMismatchError,
  NumericError,
  OptionError,
  OutputError,
  ResourceError,
  ServerError,
  StateError,
} from './errors.js';
export { type Face, FaceAnalyzer } from './faces/face.js';
export type { AnalyzerOptions, FaceFiles, IdentityOptions, PickFace } from './faces/options.js';
export type { PlannedFile, PullEvent, PullOptions, PullPlan } from './hub/options.js';
export type { GeneratedImage } from './images/generated-image.js';
export type { ImageOptions, MoreFormat } from './images/limits.js';
export {
  type HiresRecord,
  type InitRecord,
  type Metadata,
  type NoiseRecord,
  type RunRecord,
  readMetadata,
} from './images/metadata.js';
export type { OutputFormat, Picture } from './images/picture.js';
export type { ImageSource, RawImage } from './images/source.js';
export type { InitOptions } from './init/options.js';
export type { CachedModel } from './inspect/cached.js';
export { type InspectedVariant, type Inspection, inspect } from './inspect/inspect.js';
export { models, type NamedModel } from './inspect/models.js';
export type { Lora, LoraInfo } from './loras/lora.js';
export type { AddLoraOptions, RunLora } from './loras/options.js';
export { type DefaultModel, defaultModel } from './models/default-model.js';
export type { MemoryOptions } from './models/memory.js';
export type { MemoryNeed } from './models/need.js';
export type { LoadEvent, LoadOptions } from './models/options.js';
export type { PipelineInfo } from './models/pipeline-info.js';
export type { DeviceName } from './native/choose-device.js';
export { type CpuDevice, type CudaDevice, type Device, devices, type UnusableDevice } from './native/devices.js';
export type { DetectedFace } from './native/types.js';
export { COMBINE as combineModes, WEIGHT_TYPES as weightTypes } from './options/table/reference.js';
export { Pipeline } from './pipeline.js';
export type { ForeignSettings } from './record/a1111.js';
export { type Difference, diffRecords, type RecordDiff } from './record/diff.js';
export { foreignSettings } from './record/foreign.js';
export { type Recipe, type RecipeOptions, recipeOf } from './record/recipe.js';
export type { Missing, ToAttach } from './record/weights.js';
export type { HiresOptions } from './run/hires.js';
export type { GenerateResult, Job, JobEvent, Timings } from './run/job.js';
export type { FreeUOptions, ReuseOptions } from './run/less.js';
export type { GenerateOptions } from './run/options.js';
export type { PreviewOptions } from './run/preview.js';
export type { SizeOptions } from './run/sizes.js';
export { version } from './run/version.js';
export { type Prediction, type SigmaSchedule, type Spacing, schedules } from './schedulers/config.js';
export { type Sampler, samplers } from './schedulers/index.js';
export { type ForeignName, foreignName } from './schedulers/names.js';
export type { BatchNoise, NoiseConvention, RngDtype } from './schedulers/noise.js';
export type { Logger, Warning } from './warnings.js';
export type { AddTextEmbeddingOptions } from './words/options.js';
export type { TextEmbedding, TextEmbeddingInfo } from './words/text-embedding.js';
