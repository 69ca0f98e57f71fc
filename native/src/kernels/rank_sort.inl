// Samples as unsigned keys of the same order, and the ranks of keys, by sorting digit by digit.

template <class S>
struct KeyOf {
    using type = std::uint32_t;
};
template <>
struct KeyOf<std::int64_t> {
    using type = std::uint64_t;
};
template <>
struct KeyOf<std::uint64_t> {
    using type = std::uint64_t;
};
template <>
struct KeyOf<double> {
    using type = std::uint64_t;
};

template <class S>
static constexpr bool is_floating = S(1) / S(2) != S(0);

// The highest bit of a type of that size.
template <class S>
static constexpr typename KeyOf<S>::type bias = typename KeyOf<S>::type(1) << (8 * sizeof(S) - 1);

// NaN of any kind is the highest key.
template <class S>
HEADRACE_INLINE typename KeyOf<S>::type to_key(S x) {
    using K = typename KeyOf<S>::type;
    constexpr K top = bias<K>;
    if constexpr (is_floating<S>) {
        K bits;
        __builtin_memcpy(&bits, &x, sizeof bits);
        const K key = bits ^ (bits & top ? ~K(0) : top);
        return x == x ? key : ~K(0);
    } else if constexpr (S(-1) < S(0)) {
        return (static_cast<K>(x) + bias<S>) & (bias<S> | (bias<S> - 1));
    } else {
        return x;
    }
}

template <class S>
HEADRACE_INLINE S from_key(typename KeyOf<S>::type key) {
    using K = typename KeyOf<S>::type;
    constexpr K top = bias<K>;
    if constexpr (is_floating<S>) {
        const K bits = key ^ (key & top ? top : ~K(0));
        S x;
        __builtin_memcpy(&x, &bits, sizeof bits);
        return x == x ? x : static_cast<S>(__builtin_nan(""));
    } else if constexpr (S(-1) < S(0)) {
        return static_cast<S>(key - bias<S>);
    } else {
        return static_cast<S>(key);
    }
}

template <class K>
struct KeyEntry {
    K key;
    std::uint32_t place;
};

// What sorting `count` keys takes and gives.
template <class K>
struct RankTables {
    std::uint32_t* rank = nullptr;  // of each key; equal keys rank in the order of their places
    K* value = nullptr;             // the keys in order
    KeyEntry<K>* entries[2] = {};
    std::uint32_t* counts = nullptr;  // digits * 2^bits
};

// Entries in the order of digits * bits bits of their keys, from bit `low` up; of equal ones in the order of their places.
template <int bits, int digits, int low, class K>
static KeyEntry<K>* sort_keys(const K* keys, std::int64_t count, const RankTables<K>& tables) {
    constexpr std::uint32_t bins = 1u << bits;
    const auto digit = [](K key, int d) { return static_cast<std::uint32_t>(key >> (low + d * bits)) & (bins - 1); };
    std::uint32_t* counts = tables.counts;
    __builtin_memset(counts, 0, sizeof(std::uint32_t) * bins * digits);
    for (std::int64_t i = 0; i < count; ++i)
        for (int d = 0; d < digits; ++d) ++counts[d * bins + digit(keys[i], d)];
    for (int d = 0; d < digits; ++d) {
        std::uint32_t sum = 0;
        for (std::uint32_t b = 0; b < bins; ++b) {
            const std::uint32_t held = counts[d * bins + b];
            counts[d * bins + b] = sum;
            sum += held;
        }
    }
    KeyEntry<K>* to = tables.entries[0];
    KeyEntry<K>* from = tables.entries[1];
    for (std::int64_t i = 0; i < count; ++i) to[counts[digit(keys[i], 0)]++] = {keys[i], static_cast<std::uint32_t>(i)};
    for (int d = 1; d < digits; ++d) {
        KeyEntry<K>* swapped = from;
        from = to;
        to = swapped;
        for (std::int64_t i = 0; i < count; ++i) to[counts[d * bins + digit(from[i].key, d)]++] = from[i];
    }
    return to;
}

// Whether few exchanges of neighbours finish the order; else entries are left in any order.
template <class K>
static bool finish_order(KeyEntry<K>* entries, std::int64_t count) {
    std::int64_t moves = 2 * count;
    for (std::int64_t i = 1; i < count; ++i) {
        const KeyEntry<K> entry = entries[i];
        std::int64_t j = i;
        for (; j > 0 && entries[j - 1].key > entry.key; --j) {
            entries[j] = entries[j - 1];
            if (--moves < 0) return false;
        }
        entries[j] = entry;
    }
    return true;
}

// So few that counting them in bins takes as long as one more digit.
static constexpr std::int64_t few_keys = 1536;

// The ranks of keys of samples of type S.
template <class S, class K>
static void rank_keys(const K* keys, std::int64_t count, const RankTables<K>& tables) {
    const KeyEntry<K>* sorted;
    if constexpr (sizeof(S) == 1) {
        sorted = sort_keys<8, 1, 0>(keys, count, tables);
    } else if constexpr (sizeof(S) == 2) {
        sorted = sort_keys<8, 2, 0>(keys, count, tables);
    } else if constexpr (sizeof(S) == 4) {
        sorted = count <= few_keys ? sort_keys<8, 4, 0>(keys, count, tables) : sort_keys<11, 3, 0>(keys, count, tables);
    } else {  // the high bits tell most samples apart
        KeyEntry<K>* nearly = count <= few_keys ? sort_keys<8, 4, 32>(keys, count, tables) : sort_keys<11, 3, 31>(keys, count, tables);
        sorted = finish_order(nearly, count) ? nearly : sort_keys<11, 6, 0>(keys, count, tables);
    }
    for (std::int64_t i = 0; i < count; ++i) {
        tables.rank[sorted[i].place] = static_cast<std::uint32_t>(i);
        tables.value[i] = sorted[i].key;
    }
}
