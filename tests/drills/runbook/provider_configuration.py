# Quick provider priority rollback
from app.services.voice_v2.core.config import get_config, set_config

config = get_config()

# Disable problematic providers
config.stt_providers[ProviderType.PROBLEMATIC_PROVIDER].enabled = False
config.tts_providers[ProviderType.PROBLEMATIC_PROVIDER].enabled = False

# Increase priority for stable providers  
config.stt_providers[ProviderType.OPENAI].priority = 1
config.tts_providers[ProviderType.OPENAI].priority = 1

set_config(config)
