// A window as a set of ranks, one bit each: the median moves to a neighbour in the set with each step, and a neighbour is a few bits away.

// Ranks count from rank_base, so that there is a word on either side of them; a bit below the first and one above the last are always set.
static constexpr std::uint32_t rank_base = 128;

class RankSet {
public:
    RankSet(std::uint64_t* words, std::uint32_t count) : words_(words) {
        __builtin_memset(words, 0, sizeof(std::uint64_t) * static_cast<std::size_t>(rank_words(count)));
        flip(rank_base - 1);
        flip(rank_base + count);
    }

    [[gnu::always_inline]] void flip(std::uint32_t p) { words_[p >> 6] ^= std::uint64_t{1} << (p & 63); }

    // The member above p, and the one below. Most lie within 64 places, so that the loops are rare.
    [[gnu::always_inline]] std::uint32_t above(std::uint32_t p) const {
        const std::uint32_t q = p + 1, at = q >> 6, shift = q & 63;
        const std::uint64_t near = words_[at] >> shift | words_[at + 1] << 1 << (63 - shift);
        if (__builtin_expect(near != 0, 1)) return q + static_cast<std::uint32_t>(__builtin_ctzll(near));
        std::uint32_t w = at + 1;
        while (words_[w] == 0) ++w;
        return w * 64 + static_cast<std::uint32_t>(__builtin_ctzll(words_[w]));
    }
    [[gnu::always_inline]] std::uint32_t below(std::uint32_t p) const {
        const std::uint32_t q = p - 1, at = q >> 6, shift = q & 63;
        const std::uint64_t near = words_[at] << (63 - shift) | words_[at - 1] >> 1 >> shift;
        if (__builtin_expect(near != 0, 1)) return q - static_cast<std::uint32_t>(__builtin_clzll(near));
        std::uint32_t w = at - 1;
        while (words_[w] == 0) --w;
        return w * 64 + 63 - static_cast<std::uint32_t>(__builtin_clzll(words_[w]));
    }

    // The member that k others precede.
    std::uint32_t select(std::int64_t k) const {
        std::uint32_t w = rank_base / 64;
        for (; k >= __builtin_popcountll(words_[w]); ++w) k -= __builtin_popcountll(words_[w]);
        std::uint64_t word = words_[w];
        for (; k > 0; --k) word &= word - 1;
        return w * 64 + static_cast<std::uint32_t>(__builtin_ctzll(word));
    }

private:
    std::uint64_t* words_;
};

// The window that slides over samples of known ranks, and its upper median.
class RankWindow {
public:
    RankWindow(std::uint64_t* words, const std::uint32_t* rank, std::uint32_t count, std::int64_t size)
        : set(words, count), rank_(rank), size_(size) {
        for (std::int64_t i = 0; i < size; ++i) set.flip(rank_base + rank[i]);
        median = set.select(size / 2);
    }

    std::uint32_t leaving(std::int64_t t) const { return rank_base + rank_[t - 1]; }
    std::uint32_t coming(std::int64_t t) const { return rank_base + rank_[t + size_ - 1]; }

    // From the window that begins at t - 1 to the one that begins at t. Which way the median goes is chance: no branch may depend on it.
    [[gnu::always_inline]] void slide(std::int64_t t) {
        const std::uint32_t out = leaving(t), in = coming(t);
        set.flip(out);
        set.flip(in);
        const std::uint32_t up = 0u - static_cast<std::uint32_t>(out <= median && in > median);
        const std::uint32_t down = 0u - static_cast<std::uint32_t>(out >= median && in < median);
        median += ((set.above(median) - median) & up) | ((set.below(median) - median) & down);
    }

    RankSet set;
    std::uint32_t median;

private:
    const std::uint32_t* rank_;
    std::int64_t size_;
};

// As many members around a center as are not farther from it than the median distance. The stretch of them moves a few places with each
// step. `value` gives what has a rank, -infinity and infinity beyond the ranks.
template <class Value>
class NearestStretch {
public:
    NearestStretch(const RankWindow& window, std::uint32_t count, std::int64_t size, Value value)
        : first_(window.set.above(rank_base - 1)), last_(window.median), end_(rank_base + count), wanted_(size / 2 + 1), held_(wanted_),
          even_(size % 2 == 0), value_(value) {}

    // To be called after the window has slid.
    void slide(const RankWindow& window, std::uint32_t out, std::uint32_t in) {
        held_ += first_ < in && in < last_;
        if (first_ <= out && out <= last_) {
            --held_;
            if (out == first_)
                first_ = window.set.above(first_);
            else if (out == last_)
                last_ = window.set.below(last_);
        }
    }

    // The median distance from the center of the window's samples, whose median is that of the window.
    double distance(const RankWindow& window, double center) {
        const RankSet& set = window.set;
        while (held_ < wanted_) {
            const std::uint32_t before = set.below(first_), after = set.above(last_);
            if (after != end_ && (before < rank_base || above(after, center) < below(before, center)))
                last_ = after;
            else
                first_ = before;
            ++held_;
        }
        while (held_ > wanted_) {
            if (above(last_, center) >= below(first_, center))
                last_ = set.below(last_);
            else
                first_ = set.above(first_);
            --held_;
        }
        while (above(set.above(last_), center) < below(first_, center)) {
            first_ = set.above(first_);
            last_ = set.above(last_);
        }
        while (below(set.below(first_), center) < above(last_, center)) {
            first_ = set.below(first_);
            last_ = set.below(last_);
        }
        const double up = above(last_, center), down = below(first_, center);
        const bool up_is_farther = up >= down;
        const double farthest = up_is_farther ? up : down;
        if (!even_) return farthest;
        // Without the farthest, what is left is the stretch of one fewer.
        const double other = up_is_farther ? farther(set.below(last_), first_, center) : farther(last_, set.above(first_), center);
        return (other + farthest) / 2;
    }

private:
    double above(std::uint32_t p, double center) const { return value_(p) - center; }
    double below(std::uint32_t p, double center) const { return center - value_(p); }
    double farther(std::uint32_t high, std::uint32_t low, double center) const {
        const double up = above(high, center), down = below(low, center);
        return up > down ? up : down;
    }

    std::uint32_t first_, last_, end_;
    std::int64_t wanted_, held_;
    bool even_;
    Value value_;
};
