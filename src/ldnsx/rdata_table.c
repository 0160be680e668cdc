#include <stddef.h>

#include "dns/rr.h"
#include "ldnsx/rdata_fields.h"

/* Every type that BIND 9.18 names but meta types; letters as in rdata_fields.h. */
static const char *const low_types[] = {
    [RR_A] = "a",
    [RR_NS] = "n",
    [RR_MD] = "n",
    [RR_MF] = "n",
    [RR_CNAME] = "n",
    [RR_SOA] = "nnltttt",
    [RR_MB] = "n",
    [RR_MG] = "n",
    [RR_MR] = "n",
    [RR_NULL] = "*",
    [RR_WKS] = "W",
    [RR_PTR] = "n",
    [RR_HINFO] = "qq",
    [RR_MINFO] = "nn",
    [RR_MX] = "sn",
    [RR_TXT] = "Q",
    [RR_RP] = "nn",
    [RR_AFSDB] = "sn",
    [19] = "9" /* X25 */,
    [20] = "qo" /* ISDN */,
    [RR_RT] = "sn",
    [22] = "x" /* NSAP */,
    [23] = "n" /* NSAP-PTR */,
    [RR_SIG] = "TgblEEsnB",
    [RR_KEY] = "F",
    [RR_PX] = "snn",
    [27] = "qqq" /* GPOS */,
    [RR_AAAA] = "A",
    [29] = "L" /* LOC */,
    [RR_NXT] = "nz",
    [31] = "X" /* EID */,
    [32] = "X" /* NIMLOC */,
    [RR_SRV] = "sssn",
    [34] = "y" /* ATMA */,
    [RR_NAPTR] = "ssqqqn",
    [RR_KX] = "sn",
    [37] = "csgB" /* CERT */,
    [38] = "0" /* A6 */,
    [RR_DNAME] = "n",
    [40] = "bbbZ" /* SINK */,
    [42] = "P" /* APL */,
    [RR_DS] = "sgdX",
    [44] = "bbY" /* SSHFP */,
    [45] = "GB" /* IPSECKEY */,
    [RR_RRSIG] = "TgbleesnB",
    [RR_NSEC] = "nN",
    [RR_DNSKEY] = "F",
    [49] = "B" /* DHCID */,
    [RR_NSEC3] = "HbsS3M",
    [RR_NSEC3PARAM] = "HbsS",
    [52] = "bbbX" /* TLSA */,
    [53] = "bbbX" /* SMIMEA */,
    [55] = "+" /* HIP */,
    [56] = "Q" /* NINFO */,
    [57] = "F" /* RKEY */,
    [58] = "nn" /* TALINK */,
    [RR_CDS] = "sgdX",
    [RR_CDNSKEY] = "F",
    [61] = "B" /* OPENPGPKEY */,
    [62] = "lsM" /* CSYNC */,
    [63] = "lbbX" /* ZONEMD */,
    [RR_SVCB] = "shV",
    [RR_HTTPS] = "shV",
    [66] = "Tksn" /* DSYNC */,
    [67] = "B" /* HHIT */,
    [68] = "B" /* BRID */,
    [99] = "Q" /* SPF */,
    [100] = "*" /* UINFO */,
    [101] = "*" /* UID */,
    [102] = "*" /* GID */,
    [103] = "*" /* UNSPEC */,
    [104] = "s5" /* NID */,
    [105] = "sa" /* L32 */,
    [106] = "s5" /* L64 */,
    [107] = "sn" /* LP */,
    [108] = "4" /* EUI48 */,
    [109] = "8" /* EUI64 */,
};
enum { HIGH_FIRST = 256 };
static const char *const high_types[] = {
    "ssU" /* URI */,    "bCD" /* CAA */,   "Q" /* AVC */,    "llbqK" /* DOA */,
    "J" /* AMTRELAY */, "Q" /* RESINFO */, "Q" /* WALLET */,
};
enum { TYPE_TA = 32768, TYPE_DLV = 32769 };

const char *rdata_fields(uint16_t type)
{
    if (type < sizeof(low_types) / sizeof(*low_types))
        return low_types[type];
    if (type >= HIGH_FIRST && type < HIGH_FIRST + sizeof(high_types) / sizeof(*high_types))
        return high_types[type - HIGH_FIRST];
    return type == TYPE_TA || type == TYPE_DLV ? "sgdX" : NULL;
}

bool rdata_type_meta(uint16_t type)
{
    return type == 0 || type == RR_OPT || (type >= 128 && type <= 255);
}
