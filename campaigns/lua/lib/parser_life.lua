-- parser_life: when a parser is lost.
--
--- the silence after which a parser is lost and another one takes the list (ms)
local PARSER_LOST_MS = 30000
