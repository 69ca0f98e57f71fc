// The middle values of m keys, for each lane of a tile by itself. Exact: a lane holds a bracket [low, high] of values and how many keys lie
// before it and up to its end, and each pass over the keys cuts it at a pivot inside. The first passes only count the keys up to the
// pivot; the later ones also find the pivot's neighbours among the keys, so that each drops at least one value and they come to an end.
// What the pivots are (the rows before, interpolation between ranks, halving) decides how many passes it takes and never what comes out.
// Only comparisons are used: the result is the same on every ISA, up to the sign of a zero.

template <class K>
struct Ordered {
    static constexpr bool exact = K(1) / K(2) == K(0);  // an integer
    using V = typename Keys<K>::V;
    using M = decltype(V{} < V{});
    using Word = __typeof__(M{}[0]);
    static constexpr int word_bits = 8 * static_cast<int>(sizeof(K));
};

template <class K>
HEADRACE_INLINE typename Ordered<K>::V halfway(typename Ordered<K>::V a, typename Ordered<K>::V b) {
    using V = typename Ordered<K>::V;
    using M = typename Ordered<K>::M;
    constexpr int top = Ordered<K>::word_bits - 1;
    const auto mean = [](M x, M y) { return (x & y) + ((x ^ y) >> 1); };  // rounds down, cannot overflow
    if constexpr (Ordered<K>::exact) {
        return mean(a, b);
    } else {
        // Bits of floats as integers in the order of their values; so every pair of floats is apart by at most as many halvings as bits.
        constexpr auto mask = static_cast<typename Ordered<K>::Word>((std::uint64_t{1} << top) - 1);
        const auto flip = [](M x) { return x ^ ((x >> top) & mask); };
        return reinterpret_cast<V>(flip(mean(flip(reinterpret_cast<M>(a)), flip(reinterpret_cast<M>(b)))));
    }
}

// Counts as floats; below 2^24 and 2^52.
template <class K>
HEADRACE_INLINE typename Ordered<K>::V as_float(typename Ordered<K>::M count) {
    using V = typename Ordered<K>::V;
    if constexpr (sizeof(K) == 8) {
        const typename Ordered<K>::M bits = count | 0x4330000000000000;  // 2^52 + count
        return reinterpret_cast<V>(bits) - 4503599627370496.0;
    } else {
        return __builtin_convertvector(count, V);
    }
}

template <class M>
HEADRACE_INLINE bool any(M mask) {
    using Words = typename Lanes<HEADRACE_MAX_LANES>::M;
    const Words words = reinterpret_cast<Words>(mask);
    std::int64_t found = 0;
    for (int i = 0; i < HEADRACE_MAX_LANES; ++i) found |= words[i];
    return found != 0;
}

template <class K>
static constexpr K highest_key = Ordered<K>::exact ? static_cast<K>((1ull << (Ordered<K>::word_bits - 1)) - 1) : static_cast<K>(__builtin_inf());
template <class K>
static constexpr K lowest_key = Ordered<K>::exact ? static_cast<K>(-highest_key<K> - 1) : static_cast<K>(-__builtin_inf());

// How many passes only count, and from how many keys on: measured on noise.
template <class K>
static constexpr int counting_passes = Ordered<K>::exact ? 3 : 2;
constexpr std::int64_t least_to_count = 24;

template <class K>
struct Middle {
    typename Ordered<K>::V lower, upper;  // ranks (m - 1) / 2 and m / 2
    typename Ordered<K>::M undefined;     // lanes with a NaN
};

// `m` vectors of keys, 1 <= m <= 2^(bits - 1) - 1 or 2^24; `guess` may be anything.
template <class K>
static Middle<K> middle_of(const K* keys, std::int64_t m, K guess) {
    using V = typename Ordered<K>::V;
    using M = typename Ordered<K>::M;
    using Word = typename Ordered<K>::Word;
    const V* const v = reinterpret_cast<const V*>(keys);
    V low = v[0], high = v[0];
    M undefined = {};
    for (std::int64_t i = 0; i < m; ++i) {
        const V x = v[i];
        low = x < low ? x : low;
        high = x > high ? x : high;
        if constexpr (!Ordered<K>::exact) undefined |= x != x;
    }
    const M none = {};
    const Word below_rank = static_cast<Word>((m - 1) / 2);  // keys below the lower middle one
    const bool even = m % 2 == 0;
    M under = none;                        // keys that come before the bracket
    M upto = none + static_cast<Word>(m);  // keys up to `high`
    V beyond = high;                       // the key after `high`, where there is one
    V lower = low, upper = low;
    M open = (low != high) & ~undefined;
    const auto within = [&](V p) { return (p >= low) & (p < high) ? p : low; };  // for NaN too
    V pivot = within(V{} + guess);

    // Where a count cuts, `low` is no key and the bracket begins after it, or `high` is no key and the bracket ends with the last key before.
    for (int pass = 0; pass < counting_passes<K> && m >= least_to_count; ++pass) {
        M count = none;
        for (std::int64_t i = 0; i < m; ++i) count -= v[i] <= pivot;
        const M left = count > below_rank;
        high = left ? pivot : high;
        upto = left ? count : upto;
        low = left ? low : pivot;
        under = left ? under : count;
        if constexpr (Ordered<K>::exact)
            pivot = halfway<K>(low, high);
        else
            pivot = within(low + (high - low) * ((K(0.5) * K(m) - as_float<K>(under)) / as_float<K>(upto - under)));
        // Where the middle is found, what is missing is which keys it is.
        pivot = upto == static_cast<Word>(below_rank + 1) ? high : under == below_rank ? low : pivot;
    }

    for (int pass = 0; any(open); ++pass) {
        M count = none;
        V before = V{} + lowest_key<K>, after = V{} + highest_key<K>;
        for (std::int64_t i = 0; i < m; ++i) {
            const V x = v[i];
            const M inside = x <= pivot;
            count -= inside;
            const V candidate_before = inside ? x : lowest_key<K>, candidate_after = inside ? highest_key<K> : x;
            before = candidate_before > before ? candidate_before : before;
            after = candidate_after < after ? candidate_after : after;
        }
        const M left = count > below_rank;  // the lower middle key is at or before the pivot
        high = left ? before : high;
        upto = left ? count : upto;
        beyond = left ? after : beyond;
        low = left ? low : after;
        under = left ? under : count;
        // Where `last` or `first` holds, that end is a key: the first of these passes was at that end if counting had left it so.
        const M last = upto == static_cast<Word>(below_rank + 1), first = under == below_rank;
        const M found = ((low == high) | last | (even ? none : first)) & open;
        lower = found ? (last ? high : low) : lower;
        upper = found ? (last & (none - even) ? beyond : (last ? high : low)) : upper;
        open &= ~found;
        if constexpr (Ordered<K>::exact) {
            pivot = halfway<K>(low, high);
        } else if (pass % 3 == 2) {
            pivot = within(pass < 12 ? low + (high - low) * K(0.5) : halfway<K>(low, high));
        } else {
            const V rank = as_float<K>(none + below_rank - under) + K(even ? 0.5 : 0);
            pivot = within(low + (high - low) * (rank / as_float<K>(upto - under - 1)));
        }
        if (even) pivot = first ? low : pivot;
    }
    return {lower, upper, undefined};
}
