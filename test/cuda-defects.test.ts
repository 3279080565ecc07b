// Defects planted in the CUDA kernels, one at a time, must be noticed by the kernels' tests on the emulator; the kernels
// as they are must pass, under the sanitizers too. Every edit goes into a copy of native/cuda/kernels.
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const RESULT = 'result.h';
const TILE = 'tile.h';
const CONVOLUTION = 'convolution.h';
const CONVOLUTION_DIRECT = 'convolution_direct.h';
const LAYER_NORM = 'layer_norm.h';
const ATTENTION_PARTS = 'attention_parts.h';
const ATTENTION = 'attention.h';
const CROSS_ATTENTION = 'cross_attention.h';
const ATTENTION_WIDE = 'attention_wide.h';
const ATTENTION_PLAIN = 'attention_plain.h';
const LAYER_NORM_LONG = 'layer_norm_long.h';
const BLOCK_SUM = 'block_sum.h';
const GROUP_NORM = 'group_norm.h';
const ELEMENT_FUNCTION = 'element_function.h';
const ELEMENTS = 'elements.h';
const GATHER = 'gather.h';
const STRIDED = 'strided.h';
const SOFTMAX = 'softmax.h';
const REDUCE = 'reduce.h';
const SINUSOID = 'sinusoid.h';
const LATENTS = 'latents.h';

/** Whose cases run when a file is edited that has none of its own (defects.cpp). */
const CASES: Readonly<Record<string, string>> = { [RESULT]: 'PRODUCT', [TILE]: 'PRODUCT' };
const casesOf = (file: string): string => CASES[file] ?? basename(file, '.h').toUpperCase();

interface Defect {
  readonly name: string;
  readonly file: string;
  /** Must be there exactly once. */
  readonly before: string;
  readonly after: string;
  readonly cases: string;
}
const defect = (file: string, name: string, before: string, after: string, cases = casesOf(file)): Defect => ({
  file,
  name,
  before,
  after,
  cases,
});

const DEFECTS: readonly Defect[] = [
  defect(TILE, 'no wait', 'copy_wait<Tile::kStages - 2>();', ''),
  defect(TILE, 'waits one group too late', 'copy_wait<Tile::kStages - 2>', 'copy_wait<Tile::kStages - 1>'),
  defect(TILE, 'no barrier', 'block_barrier();  // those of all threads', '// those of all threads'),
  defect(
    TILE,
    'barrier before the wait',
    'copy_wait<Tile::kStages - 2>();',
    'block_barrier(); copy_wait<Tile::kStages - 2>(); if (false)',
  ),
  defect(
    TILE,
    'barrier for part of the block',
    'block_barrier();  // those of all threads',
    'if (warp_index() > 0) block_barrier();  //',
  ),
  defect(TILE, 'swizzle puts two chunks in one place', '(row >> 1 & 3)', '(row & 3) * (chunk & 1)'),
  defect(
    TILE,
    'A is read unswizzled',
    'a_stage + place(row, half * 2 + lane / 16)',
    'a_stage + row * 32 + (half * 2 + lane / 16) * 8',
  ),
  defect(TILE, 'wrong phase of W', 'w_stages + step % Tile::kStages', 'w_stages + (step + 1) % Tile::kStages'),
  defect(
    TILE,
    'copies into a live stage',
    'const int stage = step % Tile::kStages;',
    'const int stage = step % (Tile::kStages - 1);',
  ),
  defect(
    TILE,
    'no commit in the loop',
    'if (ahead < steps) load(ahead);\n    copy_commit();',
    'if (ahead < steps) load(ahead);',
  ),
  defect(
    TILE,
    'empty groups are not committed',
    'if (ahead < steps) load(ahead);\n    copy_commit();',
    'if (ahead < steps) {\n      load(ahead);\n      copy_commit();\n    }',
  ),
  defect(TILE, 'no guard of rows on load', 'i * kRowStep<Tile> < rows && ', ''),
  defect(TILE, 'no guard of K on load', ' && columns > 0', ''),
  defect(TILE, 'sources stand still', 'source.advance();', ''),
  defect(TILE, 'lanes of W swapped', 'lane / 8 % 2', 'lane / 16'),
  defect(TILE, 'lanes of A swapped', 'i * 16 + lane % 16', 'i * 16 + lane / 2'),
  defect(TILE, 'W is read transposed', 'load_matrix_x4(w_parts', 'load_transposed_x4(w_parts'),
  defect(TILE, 'half of the bytes', 'inside ? 16 : 0', 'inside ? 8 : 0'),
  defect(TILE, 'bytes where nothing is', 'inside ? 16 : 0', '16'),
  defect(TILE, 'misaligned rows', 'w_stage + place', 'w_stage + 4 + place'),
  defect(TILE, 'stages overlap', 'a_stages + Tile::kStages * Tile::kM * Tile::kK', 'a_stages + Tile::kM * Tile::kK'),
  defect(TILE, 'too little shared memory', 'kStages * (kM + kN) * kK * 2', '(kStages - 1) * (kM + kN) * kK * 2'),
  defect(TILE, 'last step left out', '(k + Tile::kK - 1) / Tile::kK', 'k / Tile::kK'),
  defect(
    TILE,
    'upper rows of a fragment twice',
    'sums[part][j][2], sums[part][j][3]',
    'sums[part][j][0], sums[part][j][1]',
  ),
  defect(TILE, 'axes of the grid swapped', 'block_index().y) * Tile::kM', 'block_index().x) * Tile::kM'),
  defect(
    TILE,
    'strips over stages still read',
    'block_barrier();  // nobody reads the stages',
    '// nobody reads the stages',
  ),
  defect(TILE, 'strip read before it is whole', 'warp_sync();\n    finish_strip', 'finish_strip'),
  defect(
    TILE,
    'strip written before it was read',
    'warp_sync();  // nobody reads the strip',
    '// nobody reads the strip',
  ),
  defect(TILE, 'warps share a strip', 'warp_index() * (Tile::kStripBytes / 4)', '0'),
  defect(TILE, 'slices overlap in K', 'const int first_k = before * Tile::kK;', 'const int first_k = 0;'),
  defect(TILE, 'slices write over one another', 'split.sums + at.z * slice', 'split.sums'),
  defect(TILE, 'arrivals are not put back', 'if (is_last) *arrivals = 0;', ''),
  defect(TILE, 'arrivals of all tiles together', 'static_cast<size_t>(at.y) * grid.x + at.x', '0'),
  defect(TILE, 'the last but one to arrive goes on', '== grid.z - 1', '== grid.z - 2'),
  defect(
    TILE,
    'no barrier before the flag is read',
    'block_barrier();\n  if (shared_load(last) == 0)',
    'if (shared_load(last) == 0)',
  ),
  defect(TILE, 'the last slice is counted twice', 'first = 0, second = 0;', ''),
  defect(TILE, 'a slice is left out', 'uint32_t z = 0; z < grid.z', 'uint32_t z = 1; z < grid.z'),
  defect(TILE, 'no guard where slices meet', 'if (r < m && c < n)', 'if (c < n)'),
  defect(RESULT, 'no guard of rows on store', ' && spot.row < m', ''),
  defect(RESULT, 'no guard of columns on store', ' && spot.column < columns', ''),
  defect(RESULT, 'bias of the neighbour', 'addend(result, image, to.column + 1)', 'addend(result, image, to.column)'),
  defect(RESULT, 'pairs where columns are odd', 'bool even = columns % 2 == 0', 'bool even = columns > 0'),
  defect(RESULT, 'a second number outside', 'if (both) convert', 'convert'),
  defect(RESULT, 'the image of a strip is that of its first row', '      ++image;', '      ;'),
  defect(RESULT, 'one channel row for all images', 'static_cast<size_t>(image) * result.channel_step + ', ''),
  defect(RESULT, 'gates of the neighbouring group', 'at.value + 8)', 'at.value + 16)'),
  defect(RESULT, 'bias of the gate is that of the value', 'columns + at.column)', 'at.column)'),
  defect(RESULT, 'GEGLU at the columns of W', 'first_column / 2 + column', 'first_column + column'),
  defect(RESULT, 'silu with the slope of quick gelu', 'sigmoid_part(x, 1.0f)', 'sigmoid_part(x, 1.702f)'),
  defect(RESULT, 'base of the exponential', '-kLog2E * slope', '-slope'),
  defect(RESULT, 'residual twice where a function is', 'if (plain) {', 'if (true) {'),
  defect(RESULT, 'spots of a lane are left out', 'from += kAtOnce', 'from += 2 * kAtOnce'),
  defect(CONVOLUTION, 'no guard above', 'y < 0 || ', ''),
  defect(CONVOLUTION, 'no guard on the right', ' || x >= given.virtual_w', ''),
  defect(
    CONVOLUTION,
    'no guard of pixels',
    'image < given.images ? y * given.stride_h - given.pad_top : kNowhere',
    'y * given.stride_h - given.pad_top',
  ),
  defect(
    CONVOLUTION,
    'padding of the other side',
    'x * given.stride_w - given.pad_left',
    'x * given.stride_w - given.pad_top',
  ),
  defect(CONVOLUTION, 'taps go on by one', 'tap_x += given.dilation_w', 'tap_x += 1'),
  defect(
    CONVOLUTION,
    'a step passes one tap at most',
    'for (channel += Tile::kK; channel >= given.cin; channel -= given.cin)',
    'if (channel += Tile::kK; channel >= given.cin && (channel -= given.cin) >= 0)',
  ),
  defect(CONVOLUTION, 'a slice begins at the first tap', 'tap / given.kernel_w * given.dilation_h', '0'),
  defect(
    CONVOLUTION,
    'a slice begins at the first channel',
    'channel = column % given.cin',
    'channel = column - first_k',
  ),
  defect(CONVOLUTION, 'upsampling rounds up', 'return at / 2;', 'return (at + 1) / 2;'),
  defect(CONVOLUTION, 'upsampling by two alone', 'virtual_size == 2 * size', 'virtual_size != size'),
  defect(CONVOLUTION, 'all images are the first', 'first_row[i] = image * given.height', 'first_row[i] = 0'),
  defect(
    CONVOLUTION_DIRECT,
    'no guard of pixels',
    'if (pixel >= static_cast<int64_t>(given.images) * given.out_h * given.out_w) return;',
    '',
  ),
  defect(CONVOLUTION_DIRECT, 'no guard above', 'y >= 0 && ', ''),
  defect(CONVOLUTION_DIRECT, 'no guard on the right', ' && x < given.width', ''),
  defect(
    CONVOLUTION_DIRECT,
    'taps outside keep the weights',
    '      weight += static_cast',
    '      if (x >= 0 && x < given.width) weight += static_cast',
  ),
  defect(
    CONVOLUTION_DIRECT,
    'weights of the neighbour',
    'given.weights + column',
    'given.weights + (column + 1) % given.cout',
  ),
  defect(CONVOLUTION_DIRECT, 'images run together', 'line % given.out_h * given.stride_h', 'line * given.stride_h'),
  defect(RESULT, 'residual of the first pixel', 'result.residual[at]', 'result.residual[column]', 'CONVOLUTION_DIRECT'),
  defect(
    RESULT,
    'the first image for all pixels',
    'row / result.rows_per_image : 0;\n  const size_t at',
    '0 : 0;\n  const size_t at',
    'CONVOLUTION_DIRECT',
  ),
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
  defect(ATTENTION_PARTS, 'no guard of rows on load', 'first + row < rows && ', ''),
  defect(ATTENTION_PARTS, 'no guard of columns on load', ' && column < columns', ''),
  defect(ATTENTION_PARTS, 'rows of K overlap', '(kDepth / 8 | 1) * 8', 'kDepth - 8'),
  defect(
    ATTENTION_PARTS,
    'the last columns are no part of the depth',
    'kDepth = (kHead + 15) / 16 * 16',
    'kDepth = kHead / 16 * 16',
  ),
  defect(ATTENTION_PARTS, 'too little shared memory', 'kStages * kStage) * 2', '(kStages - 1) * kStage) * 2'),
  defect(ATTENTION_PARTS, 'keys behind the last count', 'if (seen < Tile::kKeys)', 'if (seen < 0)'),
  defect(ATTENTION_PARTS, 'one key too many', 'j * 8 + column >= seen', 'j * 8 + column > seen'),
  defect(
    ATTENTION_PARTS,
    'a query sees the key behind it',
    'query + 1 < tokens ? query + 1',
    'query + 2 < tokens ? query + 2',
  ),
  defect(ATTENTION_PARTS, 'sums do not shrink', 'sums[i][n][half * 2] *= shrink, ', ''),
  defect(ATTENTION_PARTS, 'every lane its own maximum', 'lanes_maximum<4>(most)', 'most'),
  defect(ATTENTION_PARTS, 'lanes of K swapped', 'depth + lane / 8 % 2 * 8', 'depth + lane / 16 * 8'),
  defect(ATTENTION_PARTS, 'V is read untransposed', 'load_transposed_x4(v_parts', 'load_matrix_x4(v_parts'),
  defect(ATTENTION_PARTS, 'rows of the weights swapped', 'e % 2 * 2', '(e + 1) % 2 * 2'),
  defect(ATTENTION_PARTS, 'half of the keys twice', 'v_parts + half * 2', 'v_parts'),
  defect(ATTENTION_PARTS, 'no guard of rows on store', 'if (row >= queries.queries) continue;', ''),
  defect(ATTENTION_PARTS, 'no guard of columns on store', 'if (column + n * 8 < queries.head_size)\n', ''),
  defect(
    ATTENTION_PARTS,
    'a term that is off is read',
    'term.scale && *term.scale == 0',
    'term.scale && *term.scale == 2',
  ),
  defect(ATTENTION_PARTS, 'the mask of the first image', 'image * term.mask_image + query', 'query'),
  defect(ATTENTION_PARTS, 'all warps the same columns', 'warp % Tile::kColumnWarps', 'warp / Tile::kWarps'),
  defect(ATTENTION_PARTS, 'the keys of the first image', 'image * keys.k_image', '0'),
  defect(ATTENTION, 'no wait', 'copy_wait<Tile::kStages - 2>();', ''),
  defect(ATTENTION, 'waits one group too late', 'copy_wait<Tile::kStages - 2>', 'copy_wait<Tile::kStages - 1>'),
  defect(ATTENTION, 'no barrier', 'block_barrier();', ''),
  defect(ATTENTION, 'copies into a live stage', 'load(step + Tile::kStages - 1);', 'load(step + Tile::kStages);'),
  defect(ATTENTION, 'the last keys are left out', ' + Tile::kKeys - 1) / Tile::kKeys', ') / Tile::kKeys'),
  defect(
    ATTENTION,
    'a causal block ends with the keys of its first query',
    'at.first_query + Tile::kQueries - 1',
    'at.first_query',
  ),
  defect(ATTENTION, 'the total of one lane', 'lanes_sum<4>(softmax.total[i][half])', 'softmax.total[i][half]'),
  defect(CROSS_ATTENTION, 'waits one group too late', 'copy_wait<Tile::kStages - 2>', 'copy_wait<Tile::kStages - 1>'),
  defect(CROSS_ATTENTION, 'no barrier', 'block_barrier();', ''),
  defect(
    CROSS_ATTENTION,
    'empty groups are not committed',
    'ahead.advance(arguments, Tile::kKeys);\n    }\n    copy_commit();',
    'ahead.advance(arguments, Tile::kKeys);\n      copy_commit();\n    }',
  ),
  defect(CROSS_ATTENTION, 'copies into a live stage', 'load(step + Tile::kStages - 1);', 'load(step + Tile::kStages);'),
  defect(CROSS_ATTENTION, 'a softmax over all terms', 'softmax.clear();\n    }', '}'),
  defect(CROSS_ATTENTION, 'the last term alone', 'sums[i][n][half * 2] += ', 'sums[i][n][half * 2] = '),
  defect(CROSS_ATTENTION, 'an off term follows', '++term, first = 0;\n      settle(arguments);', '++term, first = 0;'),
  defect(CROSS_ATTENTION, 'a term begins where the one before ended', '++term, first = 0;', '++term;'),
  defect(CROSS_ATTENTION, 'a tile too few', 'first + keys >= ', 'first + 2 * keys > '),
  defect(CROSS_ATTENTION, 'the scale of the first row', 'at.query + i * 16 + half * 8', 'at.query'),
  defect(ATTENTION_WIDE, 'no barrier at a step', 'block_barrier();  // that of', '// that of'),
  defect(ATTENTION_WIDE, 'no barrier before the weights', 'block_barrier();\n      IPA_UNROLL', 'IPA_UNROLL'),
  defect(ATTENTION_WIDE, 'no barrier before the last factors', 'block_barrier();\n  shared_factors', 'shared_factors'),
  defect(ATTENTION_WIDE, 'the columns of K are not counted on', 'keys.k + depth', 'keys.k'),
  defect(ATTENTION_WIDE, 'scores are not cleared', 'row_scores[i / 4][i % 4] = 0;', ''),
  defect(
    ATTENTION_WIDE,
    'the last piece of K is left out',
    '(head_size + Tile::kDepth - 1) / Tile::kDepth',
    'head_size / Tile::kDepth',
  ),
  defect(ATTENTION_WIDE, 'sums shrink once a piece', 'part == key_pieces', 'part >= key_pieces'),
  defect(
    ATTENTION_WIDE,
    'lanes of V swapped',
    'lane / 16 * 8);\n    IPA_UNROLL\n    for (int i = 0; i < Tile::kRowTiles; ++i) {\n      multiply_k16(sums',
    'lane / 8 % 2 * 8);\n    IPA_UNROLL\n    for (int i = 0; i < Tile::kRowTiles; ++i) {\n      multiply_k16(sums',
  ),
  defect(ATTENTION_PLAIN, 'no guard of queries', 'if (query >= given.queries) return;', ''),
  defect(ATTENTION_PLAIN, 'no guard of keys', 'if (first + lane < seen)', 'if (seen > 0)'),
  defect(
    ATTENTION_PLAIN,
    'the columns of the first pass',
    'column + i * 32 + lane;\n        if (c < head_size) of_term',
    'i * 32 + lane;\n        if (c < head_size) of_term',
  ),
  defect(ATTENTION_PLAIN, 'a term that is off counts', 'if (skipped(term)) continue;', ''),
  defect(ATTENTION_PLAIN, 'the share of another key', 'static_cast<uint32_t>(j)', 'static_cast<uint32_t>(j) ^ 1'),
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
  defect(GROUP_NORM, 'no barrier after the channels', 'block_barrier();\n\n  const int width', '\n  const int width'),
  defect(GROUP_NORM, 'no barrier after the groups', 'block_barrier();\n\n  const int columns', '\n  const int columns'),
  defect(GROUP_NORM, 'no guard of pixels on load', 'i < count ? x[(first + i) * step] : 0.0f', 'x[(first + i) * step]'),
  defect(GROUP_NORM, 'padding counts as deviation', 'i < count ? values[i] - mean : 0.0f', 'values[i] - mean'),
  defect(GROUP_NORM, 'batches are not weighed', 'difference * difference * share * static_cast<float>(before)', '0.0f'),
  defect(
    GROUP_NORM,
    'channels do not spread a group',
    'part.squares + difference * difference *',
    'part.squares + 0.0f *',
  ),
  defect(
    GROUP_NORM,
    'every slab counts as full',
    'left < arguments.slab_pixels ? left : arguments.slab_pixels) * width',
    'arguments.slab_pixels) * width',
  ),
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
  defect(GROUP_NORM, 'the group of the first of four', '(column * kWide + j) / width', 'column * kWide / width'),
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

const root = fileURLToPath(new URL('..', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'ipa-defects-'));
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));
const compiler = process.env.CXX ?? 'c++';
const FLAGS = ['-std=c++20', '-O1', '-Wall', '-Wextra'];
const SANITIZE = ['-fsanitize=address,undefined', '-fno-sanitize-recover=undefined', '-g1'];

interface Ended {
  readonly passed: boolean;
  readonly output: string;
}
/** Runs a program for at most a minute. */
const run = (program: string, args: readonly string[]): Promise<Ended> =>
  new Promise((resolve) => {
    execFile(program, args, { timeout: 60_000, maxBuffer: 2 ** 24 }, (error, stdout, stderr) =>
      resolve({ passed: error === null, output: `${stdout}${stderr}` }),
    );
  });

/** Calls `work` for all of `items`, two at a time. */
const twoAtATime = async <T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> => {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      next += 1;
      await work(items[next - 1]!);
    }
  };
  await Promise.all([worker(), worker()]);
};

/** What does not change with a kernel, as object files. */
const machine = async (folder: string, flags: readonly string[]): Promise<readonly string[]> => {
  mkdirSync(join(scratch, folder));
  const emulator = readdirSync(join(root, 'native/cuda/emulator')).filter((name) => name.endsWith('.cpp'));
  const sources = [
    ...emulator.map((name) => `native/cuda/emulator/${name}`),
    ...['dtype', 'error', 'threads'].map((name) => `native/core/${name}.cpp`),
    'native/cuda/packing.cpp',
  ];
  const objects = sources.map((source) => join(scratch, folder, `${basename(source)}.o`));
  await twoAtATime([...sources.keys()], async (i) => {
    const built = await run(compiler, [
      ...FLAGS,
      ...flags,
      `-I${root}native`,
      '-c',
      join(root, sources[i]!),
      '-o',
      objects[i]!,
    ]);
    if (!built.passed) throw new Error(built.output);
  });
  return objects;
};

/** Builds the cases over the kernels in `folder` and runs them. */
const verdict = async (
  folder: string,
  objects: readonly string[],
  flags: readonly string[],
): Promise<Ended & { built: boolean }> => {
  const includes = [`-I${folder}`, `-I${root}native`, `-I${root}test/native/cuda`];
  const program = join(folder, 'defects');
  const source = join(root, 'test/native/cuda/defects.cpp');
  const built = await run(compiler, [...FLAGS, ...flags, ...includes, source, ...objects, '-pthread', '-o', program]);
  if (!built.passed) return { ...built, built: false };
  return { ...(await run(program, [])), built: true };
};

/** A folder that the include path finds first, with a copy of the kernels. */
const copied = (name: string): string => {
  const folder = join(scratch, name);
  cpSync(join(root, 'native/cuda/kernels'), join(folder, 'cuda/kernels'), { recursive: true });
  return folder;
};

t.test('the kernels as they are pass, and every planted defect is noticed', async (test) => {
  const objects = await machine('plain', []);
  const whole = await verdict(copied('unedited'), objects, []);
  test.ok(whole.passed, `unedited kernels pass ${whole.output}`);
  await twoAtATime([...DEFECTS.keys()], async (i) => {
    const { name, file, before, after, cases } = DEFECTS[i]!;
    const folder = copied(`defect-${i}`);
    const path = join(folder, 'cuda/kernels', file);
    const parts = readFileSync(path, 'utf8').split(before);
    const what = `${file}: ${name}`;
    if (parts.length !== 2) return void test.fail(`${what}: its text is there ${parts.length - 1} times`);
    writeFileSync(path, parts.join(after));
    const { built, passed, output } = await verdict(folder, objects, ['-DIPA_ONLY', `-DIPA_ONLY_${cases}=1`]);
    if (!built) return void test.fail(`${what} does not compile: ${output}`);
    test.notOk(passed, `${what} is noticed`);
    test.comment(`${what}: ${output.split('\n')[0]}`);
  });
});

t.test('the kernels pass under the address and undefined sanitizers', async (test) => {
  const whole = await verdict(copied('sanitized'), await machine('sanitizers', SANITIZE), SANITIZE);
  test.ok(whole.passed, whole.output);
});
