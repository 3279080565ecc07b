// Defects of norms, small ops and the step loop.
import { type Defect, defect } from './defect.js';

const LAYER_NORM = 'layer_norm.h';
const LAYER_NORM_LONG = 'layer_norm_long.h';
const BLOCK_SUM = 'block_sum.h';
const GROUP_NORM = 'group_norm.h';
const MOMENTS = 'moments.h';
const ELEMENT_FUNCTION = 'element_function.h';
const ELEMENTS = 'elements.h';
const GATHER = 'gather.h';
const STRIDED = 'strided.h';
const SOFTMAX = 'softmax.h';
const REDUCE = 'reduce.h';
const SINUSOID = 'sinusoid.h';
const LATENTS = 'latents.h';

export const SMALL: readonly Defect[] = [
  defect(LAYER_NORM, 'no guard of rows', 'if (row >= arguments.rows) return;', ''),
  defect(
    LAYER_NORM,
    'part of a warp leaves',
    'if (row >= arguments.rows) return;',
    'if (row >= arguments.rows || lane >= columns) return;',
  ),
  defect(LAYER_NORM, 'no guard of columns on load', 'column < columns ? x[column] : 0.0f', 'x[column]'),
  defect(
    LAYER_NORM,
    'padding counts as variance',
    'i * 32 + lane < columns ? values[i] - mean : 0.0f',
    'values[i] - mean',
  ),
  defect(LAYER_NORM, 'no guard of columns on store', 'if (column < columns)\n', ''),
  defect(LAYER_NORM, 'no epsilon', ' + arguments.epsilon', ''),
  defect(LAYER_NORM_LONG, 'no guard of rows', 'if (row >= arguments.rows) return;', ''),
  defect(
    LAYER_NORM_LONG,
    'the last columns are left out',
    'column < columns; column += 32) squares',
    'column < columns - 31; column += 32) squares',
  ),
  defect(BLOCK_SUM, 'a step of the sum is missing', 'mask /= 2', 'mask /= 4'),
  defect(BLOCK_SUM, 'lanes add different numbers', 'shuffle_xor(value, mask)', 'shuffle_down(value, mask)'),
  defect(BLOCK_SUM, 'a step of the tree is missing', 'half /= 2', 'half /= 4'),
  defect(BLOCK_SUM, 'no barrier between the steps', '    block_barrier();\n', ''),
  defect(BLOCK_SUM, 'no barrier before the result', '  block_barrier();\n  const T result', '  const T result'),
  defect(BLOCK_SUM, 'no barrier before the next sum', '  block_barrier();  // before', '  // before'),
  defect(
    GROUP_NORM,
    'no barrier after the channels',
    'block_barrier();\n\n  const int width = arguments.unit',
    '\n  const int width = arguments.unit',
  ),
  defect(GROUP_NORM, 'no barrier after the groups', 'block_barrier();\n\n  const int columns', '\n  const int columns'),
  defect(GROUP_NORM, 'no guard of pixels on load', 'i < count ? x[(first + i) * step] : 0.0f', 'x[(first + i) * step]'),
  defect(GROUP_NORM, 'padding counts as deviation', 'i < count ? values[i] - mean : 0.0f', 'values[i] - mean'),
  defect(MOMENTS, 'batches are not weighed', 'difference * difference * share * static_cast<float>(before)', '0.0f'),
  defect(
    GROUP_NORM,
    'channels do not spread a group',
    'part.squares + difference * difference * static_cast<float>(counts(i))',
    'part.squares',
  ),
  defect(
    GROUP_NORM,
    'parts do not spread a group',
    'part.squares + difference * difference * numbers(i)',
    'part.squares',
  ),
  defect(GROUP_NORM, 'parts are of the first image', 'source.parts + image * source.slabs * row', 'source.parts'),
  defect(GROUP_NORM, 'parts are of the first groups', ' + from / unit;', ';'),
  defect(GROUP_NORM, 'slabs of parts run together', '(i / units) * row + i % units', '(i / units) * units + i % units'),
  defect(GROUP_NORM, 'a group ends at the seam', 'bool has_second = to > seam', 'bool has_second = from >= seam'),
  defect(GROUP_NORM, 'the second tensor begins at no seam', 'from - seam;', 'from;'),
  defect(
    GROUP_NORM,
    'the second tensor is the first',
    'second ? arguments.second.x - seam : arguments.first.x',
    'arguments.first.x',
  ),
  defect(GROUP_NORM, 'rows of the first tensor for both', 'second ? arguments.second.channels : seam;', 'seam;'),
  defect(
    GROUP_NORM,
    'the operand is normalised',
    'store_numbers(raw + to, values[k]);',
    'store_numbers(raw + to, mean);',
  ),
  defect(
    GROUP_NORM,
    'all blocks have the first groups',
    'block_index().z) * arguments.block_groups',
    '0 * block_index().z)',
  ),
  defect(
    GROUP_NORM,
    'the last block has as many groups',
    'smaller(arguments.groups - first_group, arguments.block_groups)',
    'arguments.block_groups',
  ),
  defect(GROUP_NORM, 'every slab counts as full', '(left < slab_pixels ? left : slab_pixels) *', '(slab_pixels) *'),
  defect(
    GROUP_NORM,
    'the last slab reads on',
    'left < arguments.slab_pixels ? left : arguments.slab_pixels;',
    'arguments.slab_pixels;',
  ),
  defect(
    GROUP_NORM,
    'every lane sees as many pixels',
    '(count - lane + lanes - 1) / lanes',
    '(count + lanes - 1) / lanes',
  ),
  defect(
    GROUP_NORM,
    'too little shared memory',
    'group_norm_lanes(channels) * channels * 8',
    'group_norm_lanes(channels) * channels * 4',
  ),
  defect(GROUP_NORM, 'the group of the first of four', '(inner + j) / width', 'inner / width'),
  defect(GROUP_NORM, 'no guard of pixels on store', 'if (pixel + k >= pixels) break;', ''),
  defect(GROUP_NORM, 'no epsilon', ' + arguments.epsilon', ''),
  defect(GROUP_NORM, 'silu for all', 'if (arguments.silu) values', 'values'),
  defect(
    ELEMENT_FUNCTION,
    'the tanh form of gelu',
    'erfc_f32(-0.707106781f * x)',
    '(1.0f + tanh_f32(0.797884561f * (x + 0.044715f * x * x * x)))',
  ),
  defect(
    ELEMENT_FUNCTION,
    'digits lost in 1 + erf',
    'erfc_f32(-0.707106781f * x)',
    '(1.0f + (1.0f - erfc_f32(0.707106781f * x)))',
  ),
  defect(ELEMENT_FUNCTION, 'relu hides NaN', 'x < 0.0f ? 0.0f : x', 'x > 0.0f ? x : 0.0f'),
  defect(ELEMENTS, 'value and gate swapped', 'at + columns), gate', 'at), gate'),
  defect(ELEMENTS, 'b is not repeated', 'arguments.b, i < period ? i : i % period', 'arguments.b, i'),
  defect(ELEMENTS, 'channels of the first image', 'image * static_cast<uint32_t>(arguments.step) + column', 'column'),
  defect(ELEMENTS, 'y is read at scale 0', 'if (scale != 0.0f) {', '{'),
  defect(ELEMENTS, 'the mask is not repeated', 'row % static_cast<uint32_t>(arguments.mask_rows)', 'row'),
  defect(GATHER, 'the second source begins at its own start', 'column - begin', 'column'),
  defect(GATHER, 'lines and pixels swapped', 'line % out_h * h / out_h', 'line % out_h * w / out_w'),
  defect(
    GATHER,
    'an index too large is followed',
    'if (chosen >= arguments.choices) chosen = arguments.choices - 1;',
    '',
  ),
  defect(GATHER, 'an index below 0 is followed', 'if (wanted > 0.0f) chosen', 'chosen'),
  defect(STRIDED, 'no offset', 'int64_t at = arguments.offset', 'int64_t at = 0'),
  defect(
    STRIDED,
    'the frame in front is inside',
    'inside = inside && place < dim;',
    'inside = inside && static_cast<int>(place) < static_cast<int>(dim);',
  ),
  defect(
    STRIDED,
    'a and b walk alike',
    'static_cast<int64_t>(place) * arguments.strides_b[k]',
    'static_cast<int64_t>(place) * arguments.strides_a[k]',
  ),
  defect(STRIDED, 'the largest hides NaN', 'b > a || b != b', 'b > a'),
  defect(SOFTMAX, 'the highest of some lanes', 'highest = block_join(highest, shared, Highest{});', ''),
  defect(SOFTMAX, 'one row a block', 'row += grid_size().x', 'row += 0x10000000u'),
  defect(REDUCE, 'the mean of one more', 'sum / arguments.count', 'sum / (arguments.count + 1)'),
  defect(
    SINUSOID,
    'the angle in f64',
    'static_cast<double>(angle) *',
    'static_cast<double>(arguments.x[number]) * exp_f64(-9.210340371976184 * j / arguments.divisor) *',
  ),
  defect(LATENTS, 'a factor of 0 is read', 'if (factor != 0) sum', 'sum'),
  defect(
    LATENTS,
    'sums in f32',
    'static_cast<double>(arguments.x[term][i])));',
    'static_cast<double>(arguments.x[term][i]))), sum = static_cast<float>(sum);',
  ),
  defect(LATENTS, 'the mean stays in the deviation', 'static_cast<double>(x[i]) - mean', 'static_cast<double>(x[i])'),
  defect(LATENTS, 'spread of the result', 'deviation(arguments.c, sum)', 'deviation(arguments.u, sum)'),
  defect(LATENTS, 'the first lane alone decides', 'warp_any(bad) && lane_index() == 0', 'bad && lane_index() == 0'),
  defect(LATENTS, 'the last word is left out', 'part.bytes / 4)', 'part.bytes / 4 - 1)'),
];
