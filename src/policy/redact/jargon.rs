//! The words of the trade: those that programs, their documentation and their messages are
//! made of. What somebody chooses as a password is seldom one: `lynx`, `gravel`, `tuba`.

/// How many words of the trade are in `text`, and how many others.
pub(super) fn count(text: &str) -> (u32, u32) {
    words(text.as_bytes()).fold((0, 0), |(known, others), word| {
        if is_known(word) { (known + 1, others) } else { (known, others + 1) }
    })
}

/// The words that a name is made of, with marks or capitals between.
pub(super) fn words(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() {
            let from = at;
            let upper = bytes[at..].iter().take_while(|byte| byte.is_ascii_uppercase()).count();
            let lower = bytes[at + upper..].iter().take_while(|byte| byte.is_ascii_lowercase()).count();
            // `APIKey` is two words: the second begins with its capital.
            let length = if upper > 1 && lower > 0 { upper - 1 } else { upper + lower };
            at += length.max(1);
            if length >= MIN_WORD {
                return Some(&bytes[from..at]);
            }
        }
        None
    })
}

/// Whether `word` is one of the trade; of the others, one in 50 is taken for one, too.
fn is_known(word: &[u8]) -> bool {
    let mut hash = places(word);
    (0..PLACES).all(|_| {
        let place = usize::try_from(hash % BITS).unwrap_or_default();
        hash /= BITS;
        let sextet = WORDS.as_bytes()[place / 6] - FIRST;
        sextet >> (place % 6) & 1 == 1
    })
}

/// Where the bits of `word` are, whatever its case, as digits to the base of [`BITS`].
fn places(word: &[u8]) -> u64 {
    let hash = word.iter().fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte | 0x20)).wrapping_mul(0x0100_0000_01B3)
    });
    hash ^ hash >> 32
}

/// A shorter word says nothing.
const MIN_WORD: usize = 3;

/// How many bits there are, and how many of them stand for each word.
const BITS: u64 = 48_000;
const PLACES: usize = 4;

/// How six bits are written of which none is set.
const FIRST: u8 = b'0';

/// The bits of 6,000 words, six a letter: those that are found most often in the sources of
/// crates and in the descriptions of packages, as a filter by Bloom keeps them.
#[rustfmt::skip]
const WORDS: &str = concat!(
    r"7R`50M`HX[DI2Wl\\hB\i27dCi`h4kQOD@0i`05<2[DPlHIFD0Q05HbZXOAG=M>JJm\TSX0`bAL<UGXQ004>5BBJ1jDR<PSH1V8QhaA2_A20O`0:h3E\6A:7J2==TYHL1GfZ86:R0`@9Y84;;6?;K[5X0KVeDYPS",
    r"01DYTD@9d8P`H3E2;6BP4@@?NZ3CAc^HG22^QF03hLU6P<QC]1oDG8416W1d2BDc3RD0U?12ZDJ021R65H09Z2X4`B79WYS28XI5RXe@U00=c`l47]]`QS1:02aTAa\:CLVJV92\PPSlEAPe85X?32@;eKBSVLQO",
    r"e6[2ReG2EfMmAQC91AP`VQHY@e5K3L`e\^P22SK6<PbB=al@`^\lXb1m2013P8dHdA:g9U2J:0MQf5l:kG6TCLHCR7F:b`baS\_<5Na5PX0lQW92P[\0E@PMIB>_GA<`9WG\=Cd63FEM@20b4@?5YY?:1I6<[M>@",
    r"b0df:@an=cEWY6;h2[I0BLeVRD8@A6AL@HH0c50@?d<dF>P7l00B2Q6eG5P9UPR2bP000Gi824GfQAmlQ0J=kb<g5c6721<DPV@50274h<W38AiA<h:ZJQL000S8a0ZK:=@BT3[DOEae40Tj12Q<I<0>4J00T9AN",
    r"PldmMm``a<D=eJY@50_h7@k0P9b8X3PT7fiDR<Ba<2^4`D6b@6GOL40c@MJ2d>>3GXDDBdA^6P<Q1;3\>:eRBHKJY<Gd2IebZS3CYNBLLoZY0na6=:KT9LdQTDdIML_\df1X0=QJL;S?YXSCCP`BH0XLaSa@@_Eo",
    r"@PQe=R53Y0>6\4FS13@09b2:FU0@kQ@P4YhG05`;l0<?a1\YCIAI@d4B<`Yd6R6N@iODNQAdR0h>T@78XOBPB<59aFZWPW@2QVHQQR84iW0G84I;]I@QC1Q3kMQDS26R9LjAQ]:gI4C4S15>IBjY<8R;V15629BI",
    r"PVH8G2PM9b2485N6=T<5`dhao7CLWF5DT@J8]10ah4I=Ze9>QKZ599X^65B94@4FI0:RhI0WXgcX3E]<@D1@HJX53c2b191QRiP<P8A8=l@<9748E1S8U@JX9=1E1U;PA@SOaP7J2]jDG68LX1BQe8JeSDJXj=Ye",
    r"6V8cKT`LL8831@2YILU4eeX:0L>6BRn8CfW8HMjTdF[_S2D5fh<>iCW5NPl4>TQI@`Y^m\dieRNRZL`1Lg00bc607R>JV5LTP_34<n[LY<`4Da204P458BQR>@O\D`R5dhh4Jh=c`d]G74ID11gG10H>5H51c8N?",
    r"6:2RjI=DU6AKP<H]8YD5a20P2Ti<CP:i@kMd_`eZ9Kb0ToUMaSA300h]6HU<6>>@]`30C87BKl4UaAM[6QAEc8SaY=X8Jb\R3W26=DVK9^TDNU4YH053IW0M0]:F31E;H1::4If;C0WX0B:<1`DOc0m>L85n=US8",
    r"^9IJZ;PROfDTFV_?E@9mBf8FPd^Q3Xc`UTmL@UCR48dS<9@>174`T@R\<0DCSHCPaXhG7212?>S7FJ<6>cElhI<OjTl3LD3h85@Age@3FaRB:5=YK=4X3HDSG@WPP14g2P4]05@62Q^@KSK1LQdi[0\@U;Smmb43",
    r"AXG0H`<X4`Q`>:9FBC>3\XBQaH0iVah3B7S15IU4<j;I:0Bge@mPa890=4A<6Hn8UY`O=K@0D1B?D@Kd6b11`D88lM0dBQCYdX=6P5]KCT081HDE9jV]8D\218VC<R2@DP5`V:3DdgjXX9ZV>R;LXDR;f6T2X>G`",
    r"[9]P;:6ZAjeN02P8@P=4J04>1FD4E42F^S`DXb=AaE85:h08QQ_Vl1;REjlP3aHh1`j3dXMI`PZ00P@gjD@aJS59TE@3@BAZH7352P0JMWB6f05BZMeeMJ<b0Id1AG1M<G39P7aX`E3W28]SL\XD:G@L?@Tc;9lS",
    r"RVAbD@53Z22D1:@QV^OGRL>08`AbQf0B8loHUmNIVnJ6RF\2b@<F28:e\TAdBLHP\WK8c4ch654W0Ah??34jSX1C8_5_4eEL9K>\J0g^kKXc]O@@@FbBARJZ94[?U2==ZYe9H@\:F6iUa4gI=@[Q3O4PoAm\G28;",
    r"\X4AP5^2e80RRZ>73;1@H]<>0Xfd?Ai0K2UHS`o3o4V@`6a>05RFP50=Z11D1_j1X@;Q]P41FCLLN^W@h89J0PST2>8C1NRj6QC:`44hEFI1UQ64k1d8dT;BDQZ^HOJDDl5[B04R12`A:2a@?LUAP065BH16XBQ4",
    r"GY:24XlcN;[JfPMaMXbT@M@a:<KU9OEA8bWHO`::8=UcK5cWVc_`44EZ<mb_e0BIX0P<8^4@a0K4A;Q48@B9`;;W;i6?2703:8VRnbVN:9`c;128Dh@44XD4Q@00GBElS0P`JR4A[00LM0dF==NQjK0]1>B[@<WD",
    r"d7@;ARPfA<30n?e`_:5fIZ1d=D>Dd\0=Xle@00kA:e5_l20QL>4XX0JO@PF80W04hP<LP>XEB5YP`R6aLTG4PdBdYX0DZR37J\Bj3CW3XWhPa```ZAVR<DfSFn@RBha4H>Q20Q5@F1OfCX3dcBa4HG2<c02B_0;5",
    r"mCX193l]U0:e;HjAE=HZd4BAA14NlY0S4C;jJ:@PKZHeT0WhB8@5bQkBVUB8@2UWTT]Hn5=08AhU8\d]HmBg40Rc9`\H9QdC=i7JcY841E5^0Xi@hN?WfY`I10jEN4chZDd32PUHn<Ho\lZALZTaa`GfA6U83_h3",
    r"0JH3[JA9IKC^2XXNHM`VE49B11K@HdPE<b1HI:alZZ@g=B:h1h90YH0b20Gc`j68X2JECe0XBLB02AVd1a2DR2X@1C@9cZ:Y6ZH`eLjcL<HYCB1^H<b5`3XJ\<4PLBGZ7B07JJ3]@haY<Pi@`ESP05QTD0SA8`B:",
    r"=IK20Z:AYFVX3P7nXX?8`0WZ1QA4IFFdh@DT<J:C03VS30HPRPm93mT`e2>P>Z@Z0PEJb11Y?d4:RUda:UHgLE1D9`L`L1HBTUa=k;X05_^NXWQgN084ZEe29?hd3@k=dYb5j480RBa11I43^o100\MM5akELHc3",
    r"IaJRNP1@;\L@FEkB=RH9NHj4kDHeH@fJnTB9hh>\N<XJ1U2B09GA9FOd`3RHFU45L7h4XfA@??P5`KE<220@99[1Z=:G[4O4W@YkB@522d07R9]0?5iA?0R^aQ3XPIF?>U=1]S4`j@Pl21`hXjJPHlTA\0B8HRal",
    r"5AA:6H0<;TPkHFQHLSQ@<SaRDP<ZC0VC_950@7oRPH@P<e5h1CFHW@JiP177mZ9G2F`\<iB0e7GdQ@3@Q64PFd0^PU6BIN1?iA7BT`0A?3M15T`4=NG7>5N]L9U?106D9R1?@RZ9BGJ9N>U2^8535L40P30XbQhA",
    r"`J41hcbS^Qdd24B8aP159ff0E0h>cWHjHPZm`Fc0=JNe;81aPY1JLgf@?4:0:S:=0;5SR[D<PBH2ZPlRGiS\]:4F3`CRQB9hA0>Q[5I<1SX@4Sl0D@@n2S:Yf<`PIj8LoBElKTLhD020D^PbWL^8im3U10AY0NHZ",
    r"CST0BPCFHKQ@L^VG0U5^Y8::<Z@]8G35L2R=X5L3@L>IX1F^5m^4]`51M<EGL62HB\=@`2c9N842iCT`fl^XELVh;e0Pd?;@Y108`Rm4;BI8:T:BgD8Jj58hQ<0P2J0119I<2HXh_IDQX8IB`gQZA1Z8Bal2kQMn",
    r"@X?0Q4641<45Y`X8L><19RXd16Da4dA9BF0:?U@R>^T8R63A410X1@@96O0oPUAo368]PHl61Q18Hnd@\`=B9EXCZ6^MHP3YPMLYJbD8<7U[8i09=EC3LWTf7lR0QP@0`5QMT8m0B5H560P<@RKC5[:LWd3:QHn0",
    r"Hk1a8@6kQ5Y;58R1X:ZQ8:JRV0`9U0iI34le00XATc4180:dLPn0AKXZ9QO\e@408b8QD@@PGS@XUT0L_KDB5IPjC[?e4S0a2P:1`6b0S36FmF_R109524R:>CW;@W;_aPBbh5T5ZQ:I@@`E:P\>13EY4\W3ZAHD",
    r"cRaHl3P31heRRTkkJ@T=2KXla888J=Q8o<@>0Sd68A@0L7APJ0@A`cGP2B0ELP50Q1913X4Jhh5m;D`8m0K>APL0L>TH^b=10@B1H`298TMB8Q4H`?d047DQZ9SkfXCjb4@9C22Q2?^42@1n@00Pa92CjQ0Fd0a`",
    r"690R1JVW55d3bhb62h653iJd02k@:U`20S`PI@mR:^43Uh54dP\dD@69EJ6>XP2bT`>AMA5bXR8^6b@b13WhVBn24SKPQEF`J7a@NiWDNdQT8=I2_;DV4BFFQ8B0D@8U90ADELMVIj<QFQP84;0R0lB18:BXP1kT",
    r";Ui02D6^X52?T7;NT@\F`8W1h1G]_251d;P8M4YYhM?NI4;@8Z2I4CkHbd0G7X5[23:`W;=T5616<<LE=i02HZT@00:V9DPW@1XaV10@;28UTn2PA@Oh@0TI48d7RI:fE28@QQb2V<TB3S@CY84?La0BRR:R0c3D",
    r"]0hSYD4di6P@5HL2CIP6K2U9V16H`^04:R8:6HVCYA\D8IPP1Db28QTUfHL;PT2E]10CEQZJdSE=TPTNU8825UYRIL>Q0E78:2@d@2S^01R@6?@FaQ<0:RP0C5CCLJI0`NT0;U31E<T8R1BP8hHZANQ8JC3:Z06I",
    r"1:O[H4\dcEXMYeLf29g<I`mS4L9@T`50HID=1PdBjZ`b5S00A0UT62A2SD@1B@h52PQ80K><5:034`4XQ0XVhai0@R@UF98MYU]>K880Adeh:34i4Ui2koXh1]70D>Q9B80iD40b2BCB@\aFb`3VYV007b1>[<84",
    r"T0:;G569Ak8E=VQB6]7`AcgPTR5T5eJY311@33;nn6SDCBW80H16@@1LVBYbD9Q8M>\Xnh`AXmGhJX1Gh6@884eY4;DISE1C7HARj0V`1QUO:1@>0@HH6Xl[H3Qle:P00D3L:R83N`00R;4DZHP2P6`?b3J0P83`",
    r"bJ@ANQTcYZE7=CTSXWb4;A67L8Zmm^AABdY0]EjL@1X0:8njoBCO4:Wf@nZ:^L4ACdfCPD1bg3>K=:4U8BMTU2\P2<W@`607P54AK28SdScFS@QE?SB4499h3`5aF0385Z6W08a<P1n8<5QJ3hXSVPYJiS2AHPW0",
    r"^ViCQ3@4U_Q^226V<0jBhbM@X`S4PHDH`;I]09C@DFC<4Q?Ql1gdA`^;B:V9BQ5Da27K1[:4<0YBA7QlL1VJQJAJ1Z_9fC9YAcI2]T2AH>hEX148[D;lU?EKI@>0XbS1i2UB00KX02@8;\Hi@5NAnH5YE6`30ARn",
    r"@3@51a2a6X0iQ0R0SCD28hX@lUb41@m22?XD620JYZ4C0`:JT=P5P`407>An88154STg2>F0a1:8ZbP[J3KQ4LT\lRf0BF[T25SV[SB5kLC41MTP=VP8nYSMjh30R[91e>\H9:>K]0ILX3`>46W0cQ1IP0DdX;mI",
    r":haUD=@<?k<87X6ZW1E?H2;`h141J7b[B<0RdC2aAnG1R0jO0DKR4OB2R0305384=@dO2B>0X8@A2R8hB2@3Qk1TX@10VAkOX5Q\EN2A`2DFHCi0bR`c6MP48@G:03?GD@XDQ@3<0<XBETN8Y\2Ge6B04=H5C0Ai",
    r"0U3ZB0TBa7AhH@C]3]U@6lQ1Z:2S<:9e@@Q<3m>@<IBXH740B1`cJ@@1L6Z@e1ZT_Q4^L0AV=H4VPh`=52\W24\RFP>74En80008DhP<b8PJ`>64D@L^19@01HXZlQS^@`EjM0WA7<RB4R:1:7A11I0@<DlH2>ZL",
    r"PSCJ:dIZ9P4YV`<:J:Nb4:f;`RVU7@Ti`dCE`g8E6T6<0E100cEhJR`6e454aY@[3<dH1@2HL1TNB29SPfF1<4mm6A]=n41UT@`^C06@2]3ZRQl@D5D0=:1\;R10h2d6h<`Y22H18Z`U;0R0Ha582CVT?b=h=BH8",
    r"AM24HI=VETl^11;P\L3T@G`jPBK\APB@WYR60B11X2IWR?LB1W3?@@>0@2n^Hg8Tc:kTfec1XT7i?\BM@FBQ@4>6X8n=`Q5P29RLC423X2>k0AD5P@c?922M<V2V`V1BlT4B054B0bn8;37`EA015`SjZ2]e@fPB",
    r"0@2IY150;2`2R`daB]H=@JAjWU^019UD89HAPhcTP?]l6P0:e34h[^<fI=@JHd\V:GNoZXPTCX4RRc?o?Md05Ee;Dfd75M5>Eg@;SXXMh22SD>HJYMQ49L@P:3`9I80QPA24\0`H:30bIH[4PMLR60CJM7HP6j`J",
    r"@10@0P10HBS3D2DM];kW8Z1Z_0g4ZG6TZ4H21<;2Cd7b1RQdIAFB0;@];UD0C2=\T3890@26TO5Z1AH0R==T313Qf]09X`92<i18b18\`W0ga8VDER2Y0lDi^0>PP=@BRJ484Hm2_04VL@8PJ=`2iIQ63:1f=`JV",
    r"RAnD1dL514@FaZg2S0R1FVL`52=d4<j0D8di>P4E@=8=i0;S1`U7B0NC486?;?ZJ=XPj44=P4WKBIE6i`D0M2YMJ8X4NB7T`J506<;<10T8<EQXI8;UXa3BT=2STFP3141^0SA3]8TnYT0LD12223S[l=1:1nf@]",
    r"@4J3I6A44@DiX7aDU0E60<2QI<@0A<\8;65@``PLH@R9mXa;Bd:\8Whf\1CL53c@<AALD@28JL9:^U4Qd7H228@3163706M@26k8b8dU5APZaYPeYQLYa<h60TT1>P68Q^3?3DFHN8B;h^X]1L94HLbQ2T:0@P58",
    r":8C>6ZT8`a?:D;Q0R0=007=1D]Q6J4IX<d74F5hEZXF@PF`62]C8143L81<`41CSGEEa30@02J[Z6?`PDBl8QK3b>a2465HVRZ70@K1T^<BBmm_044Y`32^C<T:2N?SNWa]i9=:0304S[2P9D3:C;i76K0Ai3I6[",
    r"b:QD0AA=ZdI1ZXA>@3d^=GfRP3U0F1\E5G46n1fQ>Xb1`TQ0T@\VNcBdH9c`0U950@N9CBC8P=WA8\8P66A27R0hcMA0GPIA\D4QDG?VCm60AUo8[>h;hK1cR6Ji47Y:07H[:2Hl:R2`ZjB4@91S10T39a?YP2Z2",
    r"U8<HfkC14SPKBY0@X9lU4HdRVT3PdQdDE:9HV?iMX8HA\08<YFCMj4:1hZ4;R@hX0>LNX8g0=7>H4fQLV?0M\1@AI230AGQ>D;@A>kjRXf8T0TcJ<;`CN;SE11R9RA8:A034U69RF5;9P;F0M@D:<BJ?M0;in455",
    r"T<d06A9<19;0@jTP0S<P:>aojV0X^I4B0?@RCPkV?4Q@1800aD0a>QP:iP2082IS:5g8P@A?XS\?a8TI=4aBZjAN8D@1`CaEB`AXM4:3[3dNhPmX@8VT20D4@h=21T831k40F49<2?P@P1HG008hc2iPP84c@0WH",
    r"abT4Bk;Q<^YPF=k@2?OR=@0Z:`9@@1TPC9QX06X003^0@Z@0V258R89040^HR031U9QXZ3R08C00GG:]=C8>BAB@KH2VQZ=P38`R4RSdcIB<TH0HTAc:TRbH:MNIInL1TP8B42T4=J38jX11\4D=LTe0b0D=5NU5",
    r"LTORPYDL`aKDnYOD4:0e600T`9;f3S5@]C3U0H8X45Xi82JI6DA`Z1P2gHY0F:@;0@W1VI;T90SgRb@XKD110jJ:=R@RBZ`M[030ZR:R0EEI3Si@4i5=58431<`[iiaYVV54_d:62X8iQ:1VY2<5KXn4S8KS\2=Z",
    r"1QU@4i]AR2]:>:;Q;DAB4@[K6T<62ZRB7bR5UbUT>4Kfb>`<5Rf@0T1FA5\ZA1d5dDY9PV0Lb05:RX\Bh6o3DJT8F<8VaCi]@A0PAch18D2:8hJD198H2VJ0MBSUPCDA@XR@1NL0\PU<BPf842CR5fQ0DD64c6C8",
    r"b9Hg1d@;I8KF535314;dhCE`0OjX8RZ@@0T6H2j1HE0P[bW:52Z7=iPR0?l2Ba[=5C9HR[2<>IT4:TJR\7Ja^<TQTZm@6E18`@0;Y9@V11X9Y<FjBJA<2STEn1Bl996=0S4DA2iEKE]U0FZ;Q6HCYZTi3:0YfKbR",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_trade_are_known_and_those_that_people_choose_are_not() {
        for (text, is) in [
            ("connectionTimeout", (2, 0)),
            ("HTTPServer", (2, 0)),
            ("invalid_request", (2, 0)),
            ("gravel-Tuba91", (0, 2)),
            ("lynx", (0, 1)),
            ("a1b2", (0, 0)),
        ] {
            assert_eq!(count(text), is, "{text}");
        }
    }
}
