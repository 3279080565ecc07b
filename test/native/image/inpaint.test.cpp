// Where pictures are painted anew, beyond the cases of the golden runner.
#include "image/inpaint.h"

#include <cmath>
#include <cstdlib>
#include <vector>

#include "image/color_match.h"
#include "image/init_picture.h"
#include "test.h"

namespace {

using namespace ipa;

Image8 grey_of(int width, int height, const Region& white, uint8_t value = 255) {
  Image8 mask(width, height, 1);
  for (int y = white.top; y < white.bottom; ++y)
    for (int x = white.left; x < white.right; ++x) mask.row(y)[x] = value;
  return mask;
}

// Every pixel another colour.
Image8 motley(int width, int height, int from = 0) {
  Image8 image(width, height, 3);
  for (size_t i = 0; i < image.data.size(); ++i)
    image.data[i] = static_cast<uint8_t>((i * 37 + i / 300 + static_cast<size_t>(from)) % 256);
  return image;
}

int outside_that_differ(const Image8& a, const Image8& b, const Image8& mask) {
  int differ = 0;
  for (size_t i = 0; i < a.data.size(); ++i) differ += mask.data[i / 3] == 0 && a.data[i] != b.data[i];
  return differ;
}

TEST("inpaint: a region stays in the picture and holds its box, whatever the aspects") {
  for (const Region& box : {Region{0, 0, 3, 3}, {90, 5, 100, 60}, {0, 0, 100, 60}, {40, 59, 41, 60}})
    for (const auto& [width, height] : {std::pair{64, 64}, {128, 64}, {64, 256}})
      for (const int padding : {0, 7, 200}) {
        const Region r = crop_region(box, padding, 100, 60, width, height);
        EXPECT(r.left >= 0 && r.top >= 0 && r.right <= 100 && r.bottom <= 60);
        EXPECT(r.left <= box.left && r.top <= box.top && r.right >= box.right && r.bottom >= box.bottom);
      }
}

TEST("inpaint: black masks have no box") { EXPECT_EQ(mask_box(Image8(5, 4, 1)).has_value(), false); }

TEST("inpaint: a soft mask fades in inside the mask and nowhere else") {
  const Image8 mask = grey_of(40, 30, {0, 5, 20, 25});
  const Image8 soft = soft_mask(mask, 4);
  EXPECT(soft_mask(mask, 0) == mask);
  for (size_t i = 0; i < mask.data.size(); ++i) EXPECT(soft.data[i] <= mask.data[i]);
  EXPECT_EQ(int{soft.row(15)[19]}, 51);   // a fifth at the edge
  EXPECT_EQ(int{soft.row(15)[18]}, 102);  // two fifths beside it
  EXPECT_EQ(int{soft.row(15)[10]}, 255);
  EXPECT_EQ(int{soft.row(15)[0]}, 255);  // the picture's border is no edge
}

TEST("inpaint: an ellipse is white in the middle, black outside, and never rises outwards") {
  const Image8 mask = ellipse_mask(80, 60, {40, 30, 28, 14});
  EXPECT_EQ(int{mask.row(30)[40]}, 255);
  EXPECT_EQ(int{mask.row(30)[8]}, 0);
  EXPECT_EQ(int{mask.row(46)[40]}, 0);
  for (int x = 40; x < 79; ++x) EXPECT(mask.row(30)[x + 1] <= mask.row(30)[x]);
}

TEST("inpaint: the result is the original's bytes where the mask is black, with a region and without") {
  const Image8 image = motley(70, 50), painted = motley(64, 64, 91);
  const Image8 mask = grey_of(70, 50, {20, 15, 45, 38});
  for (const bool matched : {false, true}) {
    const Image8 out = finish(painted, {image, mask}, {Region{10, 4, 60, 50}, 3, matched});
    EXPECT_EQ(outside_that_differ(out, image, mask), 0);
    EXPECT_EQ(out == image, false);
    const Image8 same = finish(motley(70, 50, 91), {image, mask}, {std::nullopt, 3, matched});
    EXPECT_EQ(outside_that_differ(same, image, mask), 0);
    EXPECT_EQ(same == image, false);
  }
}

TEST("inpaint: a mask of another size is stretched over the picture") {
  const PreparedInit wide = prepare({motley(64, 32), grey_of(16, 8, {8, 0, 16, 8})}, {64, 32, 8, std::nullopt}, false);
  EXPECT_EQ(wide.mask.size(), size_t{32});
  for (size_t i = 0; i < wide.mask.size(); ++i) EXPECT_EQ(wide.mask[i], i % 8 >= 4 ? 1.0f : 0.0f);
}

TEST("inpaint: padding crops, and a black mask is refused") {
  const InitPicture init{motley(100, 80), grey_of(100, 80, {40, 30, 60, 50})};
  const PreparedInit cropped = prepare(init, {64, 64, 8, 10}, false);
  EXPECT(cropped.region == Region(30, 20, 70, 60));
  EXPECT_EQ(cropped.picture.width, 64);
  EXPECT_CODE(prepare({motley(20, 20), Image8(20, 20, 1)}, {64, 64, 8, 0}, false), Code::OPTION_RANGE);
}

TEST("inpaint: a blurred fill keeps what is known, and lies between its colours") {
  Image8 image(48, 48, 3);
  for (size_t i = 0; i < image.data.size(); ++i) image.data[i] = i / 3 % 48 < 24 ? 60 : 180;
  std::vector<uint8_t> hidden(48 * 48);
  for (int y = 10; y < 40; ++y)
    for (int x = 8; x < 42; ++x) hidden[static_cast<size_t>(y * 48 + x)] = 1;
  Image8 spoilt = image;
  for (size_t i = 0; i < hidden.size(); ++i)
    if (hidden[i]) spoilt.data[3 * i] = 255;
  const Image8 filled = fill_blurred(spoilt, hidden);
  for (size_t i = 0; i < filled.data.size(); ++i) {
    if (!hidden[i / 3]) EXPECT_EQ(filled.data[i], image.data[i]);
    EXPECT(filled.data[i] >= 60 && filled.data[i] <= 180);
  }
  EXPECT(filled.row(25)[3 * 10] < filled.row(25)[3 * 38]);  // as it is on either side
}

TEST("color match: a cast is taken away, and equal pictures stay equal") {
  const Image8 original = motley(60, 60), mask = grey_of(60, 60, {20, 20, 40, 40});
  Image8 cast = original;
  for (size_t i = 0; i < cast.data.size(); ++i) cast.data[i] = static_cast<uint8_t>(cast.data[i] * 3 / 4 + 10);
  const auto off = [&](const Image8& image) {
    double sum = 0;
    for (size_t i = 0; i < image.data.size(); ++i) sum += std::abs(int{image.data[i]} - int{original.data[i]});
    return sum / static_cast<double>(image.data.size());
  };
  EXPECT(off(match_colors(original, original, mask)) < 1);
  EXPECT(off(match_colors(cast, original, mask)) < off(cast) / 2);
  EXPECT(match_colors(cast, original, grey_of(60, 60, {0, 0, 60, 60})) == cast);  // no ring
}

}  // namespace
