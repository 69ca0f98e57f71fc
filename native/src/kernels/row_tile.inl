// A tile: as many rows of samples as a vector has lanes, transposed, so that a vector holds one channel of all its rows.

template <class K>
struct Keys {
    static constexpr int bytes = 8 * HEADRACE_MAX_LANES;
    static constexpr int lanes = bytes / static_cast<int>(sizeof(K));
    static constexpr int segment = 16 / static_cast<int>(sizeof(K));  // lanes in 16 bytes, the reach of a cheap shuffle
    typedef K V __attribute__((vector_size(bytes), may_alias));
    typedef K Piece __attribute__((vector_size(16), may_alias));
};

template <int... I>
struct Indices {};
template <int N, int... I>
struct MakeIndices : MakeIndices<N - 1, N - 1, I...> {};
template <int... I>
struct MakeIndices<0, I...> {
    using type = Indices<I...>;
};

// Lane i of the interleaved low (or high) halves of each 16-byte segment of two vectors.
template <class K>
static constexpr int interleaved(int i, bool high) {
    const int e = Keys<K>::segment, within = i % e;
    return i - within + within / 2 + (high ? e / 2 : 0) + (within % 2 != 0 ? Keys<K>::lanes : 0);
}

template <class K, bool high, int... I>
HEADRACE_INLINE typename Keys<K>::V interleave(typename Keys<K>::V a, typename Keys<K>::V b, Indices<I...>) {
    return __builtin_shufflevector(a, b, interleaved<K>(I, high)...);
}

// Vector i holds, in segment s, a run of channels of row s * segment + i; afterwards vector j holds channel j of all rows in order.
template <class K>
HEADRACE_INLINE void transpose_segments(typename Keys<K>::V (&v)[Keys<K>::segment]) {
    constexpr int e = Keys<K>::segment;
    using All = typename MakeIndices<Keys<K>::lanes>::type;
    for (int distance = e / 2; distance > 0; distance /= 2) {  // perfect shuffles: log2(e) of them transpose
        typename Keys<K>::V w[e];
        for (int i = 0; i < e / 2; ++i) {
            w[2 * i] = interleave<K, false>(v[i], v[i + e / 2], All{});
            w[2 * i + 1] = interleave<K, true>(v[i], v[i + e / 2], All{});
        }
        for (int i = 0; i < e; ++i) v[i] = w[i];
    }
}

// A run of samples as keys: 16 bytes of them.
template <class S, class K>
HEADRACE_INLINE typename Keys<K>::Piece load_piece(const S* p) {
    typedef S Given __attribute__((vector_size(sizeof(S) * Keys<K>::segment)));
    Given given;
    __builtin_memcpy(&given, p, sizeof given);
    return __builtin_convertvector(given, typename Keys<K>::Piece);
}

typedef double Pair __attribute__((vector_size(16), may_alias));
typedef double Quad __attribute__((vector_size(32), may_alias));
typedef double Oct __attribute__((vector_size(64), may_alias));

// Runs of one vector's rows side by side; as doubles, whose bits are only moved.
template <class S, class K>
HEADRACE_INLINE typename Keys<K>::V gather_rows(const S* const* row, int i, std::int64_t c) {
    constexpr int e = Keys<K>::segment;
    const auto part = [&](int s) { return reinterpret_cast<Pair>(load_piece<S, K>(row[s * e + i] + c)); };
    using V = typename Keys<K>::V;
    if constexpr (HEADRACE_MAX_LANES == 2) return reinterpret_cast<V>(part(0));
    if constexpr (HEADRACE_MAX_LANES >= 4) {
        const Quad low = __builtin_shufflevector(part(0), part(1), 0, 1, 2, 3);
        if constexpr (HEADRACE_MAX_LANES == 4) return reinterpret_cast<V>(low);
        if constexpr (HEADRACE_MAX_LANES == 8) {
            const Quad high = __builtin_shufflevector(part(2), part(3), 0, 1, 2, 3);
            return reinterpret_cast<V>(static_cast<Oct>(__builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7)));
        }
    }
}

// Rows to a tile: channel c of lane l becomes element slot[c] * lanes + l. Rows that do not exist repeat one that does.
template <class S, class K>
static void fill_tile(const S* const* row, std::int64_t channels, const std::int32_t* slot, K* tile) {
    using V = typename Keys<K>::V;
    constexpr int e = Keys<K>::segment, lanes = Keys<K>::lanes;
    std::int64_t c = 0;
    for (; c + e <= channels; c += e) {
        V v[e];
        for (int i = 0; i < e; ++i) v[i] = gather_rows<S, K>(row, i, c);
        transpose_segments<K>(v);
        for (int i = 0; i < e; ++i) *reinterpret_cast<V*>(tile + slot[c + i] * std::int64_t{lanes}) = v[i];
    }
    for (; c < channels; ++c) {
        K* to = tile + slot[c] * std::int64_t{lanes};
        for (int l = 0; l < lanes; ++l) to[l] = static_cast<K>(row[l][c]);
    }
}
