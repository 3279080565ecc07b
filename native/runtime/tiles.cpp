#include "runtime/tiles.h"

#include <algorithm>
#include <string>
#include <vector>

namespace ipa {

namespace {

// Three of four parts of a tile are new; the rest overlaps the tile before and is blended with it.
int64_t stride_of(int64_t side) { return side * 3 / 4; }
int64_t overlap_of(int64_t side) { return side / 4; }

Tensor part(const Tensor& t, int64_t y0, int64_t x0, int64_t side) {
  const Shape& s = t.shape;
  Tensor out{{1, std::min(side, s.h - y0), std::min(side, s.w - x0), s.c}, {}};
  out.data.reserve(static_cast<size_t>(out.shape.size()));
  for (int64_t y = 0; y < out.shape.h; ++y) {
    const auto row = t.data.begin() + ((y0 + y) * s.w + x0) * s.c;
    out.data.insert(out.data.end(), row, row + out.shape.w * s.c);
  }
  return out;
}

float* at(Tensor& t, int64_t y, int64_t x) { return t.data.data() + (y * t.shape.w + x) * t.shape.c; }

// to = from * (1 - share) + to * share, pixel by pixel.
void mix(const float* from, float* to, int64_t channels, float share) {
  for (int64_t c = 0; c < channels; ++c) to[c] = from[c] * (1 - share) + to[c] * share;
}

void blend_rows(Tensor& above, Tensor& tile, int64_t most) {
  const int64_t count = std::min({above.shape.h, tile.shape.h, most});
  for (int64_t y = 0; y < count; ++y)
    for (int64_t x = 0; x < std::min(above.shape.w, tile.shape.w); ++x)
      mix(at(above, above.shape.h - count + y, x), at(tile, y, x), tile.shape.c,
          static_cast<float>(y) / static_cast<float>(count));
}

void blend_columns(Tensor& left, Tensor& tile, int64_t most) {
  const int64_t count = std::min({left.shape.w, tile.shape.w, most});
  for (int64_t y = 0; y < std::min(left.shape.h, tile.shape.h); ++y)
    for (int64_t x = 0; x < count; ++x)
      mix(at(left, y, left.shape.w - count + x), at(tile, y, x), tile.shape.c,
          static_cast<float>(x) / static_cast<float>(count));
}

struct Sides {
  int64_t tile, overlap, keep;  // of what goes in; of what comes out
};

Tensor in_tiles(Network& vae, const char* plan, const char* input, const char* output, const Tensor& whole, Sides sides,
                const StopFlag& stop, bool check) {
  const int64_t stride = stride_of(sides.tile);
  std::vector<std::vector<Tensor>> rows;
  for (int64_t y = 0; y < whole.shape.h; y += stride) {
    std::vector<Tensor>& row = rows.emplace_back();
    for (int64_t x = 0; x < whole.shape.w; x += stride)
      row.push_back(std::move(vae.run(plan, {{input, part(whole, y, x, sides.tile)}}, {}, {}, stop, check).at(output)));
  }
  Tensor out{{1, 0, 0, rows[0][0].shape.c}, {}};
  const auto kept = [&](int64_t side) { return std::min(side, sides.keep); };
  for (const std::vector<Tensor>& row : rows) out.shape.h += kept(row[0].shape.h);
  for (const Tensor& tile : rows[0]) out.shape.w += kept(tile.shape.w);
  out.data.resize(static_cast<size_t>(out.shape.size()));
  int64_t top = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    int64_t left = 0;
    for (size_t j = 0; j < rows[i].size(); ++j) {
      Tensor& tile = rows[i][j];  // trap: later tiles blend with what is blended already
      if (i > 0) blend_rows(rows[i - 1][j], tile, sides.overlap);
      if (j > 0) blend_columns(rows[i][j - 1], tile, sides.overlap);
      for (int64_t y = 0; y < kept(tile.shape.h); ++y)
        std::copy_n(at(tile, y, 0), kept(tile.shape.w) * tile.shape.c, at(out, top + y, left));
      left += kept(tile.shape.w);
    }
    top += kept(rows[i][0].shape.h);
  }
  return out;
}

}  // namespace

Tensor decode_in_tiles(Network& vae, const Tensor& z, const TileSize& tile, const StopFlag& stop, bool check) {
  const int64_t overlap = overlap_of(tile.pixels);
  return in_tiles(vae, "decode", "z", "image", z, {tile.latents, overlap, tile.pixels - overlap}, stop, check);
}

Tensor encode_in_tiles(Network& vae, const Tensor& image, const TileSize& tile, const StopFlag& stop, bool check,
                       const char* output) {
  const int64_t overlap = overlap_of(tile.latents);
  return in_tiles(vae, "encode", "image", output, image, {tile.pixels, overlap, tile.latents - overlap}, stop, check);
}

}  // namespace ipa
